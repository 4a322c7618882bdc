// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/strictyaml"
)

// Ask is what one add-on asks of Vault, in the section vault of its addon.yaml:
//
//	vault:
//	  policies: [{name: shop, file: files/vault.hcl}]
//	  roles: [{name: shop, serviceAccounts: [web], policies: [shop]}]
//	  certificates: [{name: shop, domains: [shop.example.org]}]
//
// Each of the certificates is a role of the engine pki, which is there as soon as
// somebody asks for one.
type Ask struct {
	Addon        string
	Policies     []Policy
	Roles        []Role
	Certificates []PKIRole
}

// Policy is an ACL policy: its rules are in the file, or here.
type Policy struct {
	Name  string `json:"name"`
	File  string `json:"file"` // below the add-on's folder
	Rules string `json:"rules"`
}

// AskError is what is wrong with an Ask. It lies in a line of a file of the
// add-on, or else in what Path leads to inside its section vault.
type AskError struct {
	Addon string
	Path  []any
	File  string // "files/vault.hcl"; empty for the section
	Line  int
	Err   error
}

func (e *AskError) Error() string { return e.Err.Error() }
func (e *AskError) Unwrap() error { return e.Err }

// ParseAsk reads the section vault of an add-on and checks it by itself. Roles
// without namespaces get the add-on's; read gives the content of a file by its
// path in the add-on's folder. Errors are *AskError.
func ParseAsk(addon, namespace string, section map[string]any, read func(path string) ([]byte, error)) (Ask, error) {
	p := askParser{ask: Ask{Addon: addon}, namespace: namespace, read: read}
	known := map[string]func(any, []any) error{"policies": p.policy, "roles": p.role, "certificates": p.certificate}
	for _, name := range slices.Sorted(maps.Keys(section)) {
		parse, ok := known[name]
		if !ok {
			return Ask{}, p.fail([]any{name}, hint.With(fmt.Errorf("unknown field %q", name),
				"%s", strictyaml.Nearest(name, slices.Collect(maps.Keys(known)))))
		}
		items, ok := section[name].([]any)
		if !ok && section[name] != nil {
			return Ask{}, p.fail([]any{name}, fmt.Errorf("%s has to be a list", name))
		}
		for i, item := range items {
			if err := parse(item, []any{name, i}); err != nil {
				return Ask{}, err
			}
		}
	}
	return p.ask, nil
}

type askParser struct {
	ask       Ask
	namespace string
	read      func(path string) ([]byte, error)
}

func (p *askParser) fail(path []any, err error) error {
	return &AskError{Addon: p.ask.Addon, Path: path, Err: err}
}

func (p *askParser) policy(said any, at []any) error {
	var policy Policy
	if err := decodeStrict(said, &policy); err != nil {
		return p.fail(at, err)
	}
	switch {
	case !plainName.MatchString(policy.Name):
		return p.fail(append(at, "name"), nameError("policy", policy.Name))
	case (policy.File == "") == (policy.Rules == ""):
		return p.fail(at, fmt.Errorf("policy %s needs either a file or rules", policy.Name))
	}
	rules := []byte(policy.Rules)
	if policy.File != "" {
		var err error
		if rules, err = p.read(policy.File); err != nil {
			return p.fail(append(at, "file"), fmt.Errorf("policy %s: %w", policy.Name, err))
		}
	}
	if line, err := checkRules(rules); err != nil {
		err = hint.With(fmt.Errorf("policy %s: %w", policy.Name, err), "%s", hint.Of(err))
		if policy.File == "" {
			return p.fail(append(at, "rules"), err)
		}
		return &AskError{Addon: p.ask.Addon, File: policy.File, Line: line, Err: err}
	}
	policy.Rules = string(rules)
	p.ask.Policies = append(p.ask.Policies, policy)
	return nil
}

func (p *askParser) role(said any, at []any) error {
	var role Role
	if err := decodeStrict(said, &role); err != nil {
		return p.fail(at, err)
	}
	if len(role.Namespaces) == 0 {
		role.Namespaces = []string{p.namespace}
	}
	switch {
	case !plainName.MatchString(role.Name):
		return p.fail(append(at, "name"), nameError("role", role.Name))
	case len(role.ServiceAccounts) == 0:
		return p.fail(at, hint.With(fmt.Errorf("role %s names no service account", role.Name), "write serviceAccounts: [NAME]"))
	case len(role.Policies) == 0:
		return p.fail(at, hint.With(fmt.Errorf("role %s names no policy, so who logs in with it may do nothing", role.Name), "write policies: [NAME]"))
	case role.TTL != 0 && role.TTL < minTTL:
		return p.fail(append(at, "ttl"), fmt.Errorf("role %s: tokens that live %d s end before they are used; ttl is in seconds, %d at least", role.Name, role.TTL, minTTL))
	}
	for field, names := range map[string][]string{"serviceAccounts": role.ServiceAccounts, "namespaces": role.Namespaces} {
		if slices.Contains(names, "*") && len(names) > 1 {
			return p.fail(append(at, field), fmt.Errorf("role %s: * stands for all %s, and others stand beside it", role.Name, field))
		}
	}
	p.ask.Roles = append(p.ask.Roles, role)
	return nil
}

func (p *askParser) certificate(said any, at []any) error {
	var role PKIRole
	if err := decodeStrict(said, &role); err != nil {
		return p.fail(at, err)
	}
	switch {
	case !plainName.MatchString(role.Name):
		return p.fail(append(at, "name"), nameError("role", role.Name))
	case len(role.Domains) == 0:
		return p.fail(at, hint.With(fmt.Errorf("certificates %s are for no domain", role.Name), "write domains: [NAME]"))
	case role.MaxTTL != 0 && role.MaxTTL < minLife:
		return p.fail(append(at, "maxTTL"), fmt.Errorf("certificates %s: one that lives %d s ends before it is used; maxTTL is in seconds, %d at least", role.Name, role.MaxTTL, minLife))
	}
	for i, domain := range role.Domains {
		if !domainName.MatchString(domain) {
			return p.fail(append(at, "domains", i), hint.With(fmt.Errorf("certificates %s: %q is no domain", role.Name, domain),
				"small letters, digits, hyphens and dots; names below a domain are allowed with it"))
		}
	}
	role.by = p.ask.Addon
	p.ask.Certificates = append(p.ask.Certificates, role)
	return nil
}

// minLife is the shortest life of certificates, in seconds.
const minLife = 3600

// domainName is a name of two parts at least: whoever had a whole top-level domain
// could be anybody.
var domainName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// minTTL is the shortest life of a role's tokens, in seconds.
const minTTL = 60

// plainName is what Vault keeps as it is written: it makes names of policies small.
var plainName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,126}[a-z0-9])?$`)

func nameError(kind, name string) error {
	return hint.With(fmt.Errorf("%q cannot be the name of a %s of Vault's", name, kind), "small letters, digits and hyphens")
}

// decodeStrict reads what YAML gave into a struct and refuses fields that it lacks.
func decodeStrict(said, into any) error {
	data, err := json.Marshal(said)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var wrong *json.UnmarshalTypeError
	switch err := decoder.Decode(into); {
	case err == nil:
		return nil
	case errors.As(err, &wrong) && wrong.Field != "":
		return fmt.Errorf("%s has to be %s, and is a %s", wrong.Field, typeName(wrong.Type.Kind().String()), wrong.Value)
	case errors.As(err, &wrong):
		return fmt.Errorf("it has to be a mapping, and is a %s", wrong.Value)
	default:
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
}

func typeName(kind string) string {
	switch kind {
	case "slice":
		return "a list"
	case "int":
		return "a whole number"
	case "string":
		return "text"
	}
	return "a mapping"
}
