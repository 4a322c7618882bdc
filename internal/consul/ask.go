// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"errors"
	"fmt"
	"slices"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/strictyaml"
)

// Ask is what one add-on asks of Consul, in the section consul of its addon.yaml:
//
//	consul:
//	  policies: [{name: web, file: files/consul-policy.hcl}]
//	  roles: [{name: web, policies: [web]}]
//	  tokens: [{token: consul, policies: [web], roles: [], description: the migration}]
//	  logins: [{serviceAccount: web, roles: [web]}]
//	  anonymous: {policies: [dns]}
type Ask struct {
	Addon     string
	Policies  []Policy
	Roles     []Role
	Tokens    []Token
	Logins    []Login
	Anonymous *Anonymous

	// At says where in addon.yaml something stands ("consul", "roles", 0); nil
	// where there is no file.
	At func(path ...any) string
}

// Policy is an ACL policy: its rules are in the file, or here.
type Policy struct {
	Name        string `json:"name"`
	File        string `json:"file"` // below the add-on's folder
	Rules       string `json:"rules"`
	Description string `json:"description"`
}

// Role is policies under one name, for tokens and logins.
type Role struct {
	Name        string   `json:"name"`
	Policies    []string `json:"policies"` // of any add-on
	Description string   `json:"description"`
}

// Token is an ACL token. What it is called here is one of the add-on's own
// tokens, of kind acl-token, which gives SecretID and AccessorID.
type Token struct {
	Token       string   `json:"token"`
	Policies    []string `json:"policies"`
	Roles       []string `json:"roles"`
	Description string   `json:"description"`
}

// Login lets pods of a Kubernetes ServiceAccount log in at the auth method
// kubernetes, and gives what they get there these roles.
type Login struct {
	ServiceAccount string   `json:"serviceAccount"`
	Namespace      string   `json:"namespace"` // the add-on's, if left out
	Roles          []string `json:"roles"`     // of any add-on
}

// Anonymous is what a request without a token may do. One add-on may ask for it.
type Anonymous struct {
	Policies []string `json:"policies"`
}

// Source is the add-on that a section stands in.
type Source struct {
	Addon     string
	Dir       string   // its folder, as errors name it
	Namespace string   // of its objects, its ServiceAccounts among them
	Tokens    []string // names of its tokens of kind acl-token; nil where they are not known
	// Read gives the content of a file by its path in the folder.
	Read func(path string) ([]byte, error)
	// At is as in Ask.
	At func(path ...any) string
}

// ParseAsk reads the section consul of an add-on, and the files it names. What
// is wrong is named with its place: in addon.yaml, or in a policy's file.
func ParseAsk(section any, from Source) (Ask, error) {
	ask := Ask{Addon: from.Addon, At: from.At}
	var said struct {
		Policies  []Policy   `json:"policies"`
		Roles     []Role     `json:"roles"`
		Tokens    []Token    `json:"tokens"`
		Logins    []Login    `json:"logins"`
		Anonymous *Anonymous `json:"anonymous"`
	}
	if err := ask.decode(section, &said); err != nil {
		return Ask{}, err
	}
	ask.Policies, ask.Roles, ask.Tokens, ask.Logins, ask.Anonymous = said.Policies, said.Roles, said.Tokens, said.Logins, said.Anonymous
	var errs []error
	for i := range ask.Policies {
		errs = append(errs, ask.readRules(i, from))
	}
	for i, token := range ask.Tokens {
		if from.Tokens != nil && !slices.Contains(from.Tokens, token.Token) {
			errs = append(errs, hint.With(ask.errorf([]any{"tokens", i, "token"}, "%q is not the name of one of its tokens", token.Token),
				"declare it under tokens, kind acl-token; %s", strictyaml.Nearest(token.Token, from.Tokens)))
		}
	}
	for i := range ask.Logins {
		if ask.Logins[i].Namespace == "" {
			ask.Logins[i].Namespace = from.Namespace
		}
	}
	return ask, errors.Join(errs...)
}

// readRules takes a policy's rules from its file, and checks them.
func (a *Ask) readRules(i int, from Source) error {
	policy := &a.Policies[i]
	at := []any{"policies", i}
	if (policy.File == "") == (policy.Rules == "") {
		return a.errorf(at, "policy %q needs either a file or rules", policy.Name)
	}
	if policy.File == "" {
		if wrong := checkRules(policy.Rules); wrong != nil {
			return hint.With(a.errorf([]any{"policies", i, "rules"}, "line %d of the rules of policy %q: %s", wrong.line, policy.Name, wrong.message), "%s", wrong.hint)
		}
		return nil
	}
	rules, err := from.Read(policy.File)
	if err != nil {
		return a.errorf([]any{"policies", i, "file"}, "policy %q: %w", policy.Name, err)
	}
	policy.Rules = string(rules)
	if wrong := checkRules(policy.Rules); wrong != nil {
		return hint.With(fmt.Errorf("%s/%s:%d:%d: %s", from.Dir, policy.File, wrong.line, wrong.column, wrong.message), "%s", wrong.hint)
	}
	return nil
}

// mark says in Consul whose something is. What begins with it is ours to keep,
// and to take away.
func mark(addon, description string) string {
	if description == "" {
		return ours + addon
	}
	return ours + addon + ": " + description
}

// ours begins every description that mark gives.
const ours = "clusterup: "
