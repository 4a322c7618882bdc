// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/strictyaml"
)

// CheckAsks checks the policies of the add-on vault, whose folder is files, the
// roles in its settings and what all add-ons ask for against each other, offline.
// Errors about what an add-on asks for are *AskError.
func CheckAsks(files fs.FS, settings Settings, asks []Ask) error {
	policies, err := policyNames(files)
	if err != nil {
		return err
	}
	roles := map[string]string{ownRole: "clusterup itself"}
	for _, r := range settings.Roles {
		roles[r.Name] = "the values of vault"
	}
	certificates := map[string]string{}
	for _, e := range settings.Engines {
		if e.Path != pkiPath {
			continue
		}
		if e.Type != "pki" && slices.ContainsFunc(asks, func(a Ask) bool { return len(a.Certificates) > 0 }) {
			return hint.With(fmt.Errorf("the values of vault have an engine %s at %s, where add-ons ask for certificates", e.Type, pkiPath), "give it another path")
		}
		for _, r := range e.Roles {
			certificates[r.Name] = "the values of vault"
		}
	}
	for _, ask := range asks {
		for i, p := range ask.Policies {
			if err := claim(policies, p.Name, ask.Addon); err != nil {
				return ask.wrong(err, "policies", i, "name")
			}
		}
		for i, r := range ask.Roles {
			if err := claim(roles, r.Name, ask.Addon); err != nil {
				return ask.wrong(err, "roles", i, "name")
			}
		}
		for i, r := range ask.Certificates {
			if err := claim(certificates, r.Name, ask.Addon); err != nil {
				return ask.wrong(err, "certificates", i, "name")
			}
		}
	}
	for _, ask := range asks {
		for i, r := range ask.Roles {
			for n, name := range r.Policies {
				if err := mayHave(policies, r.Name, name); err != nil {
					return ask.wrong(err, "roles", i, "policies", n)
				}
			}
		}
	}
	return nil
}

func (a Ask) wrong(err error, path ...any) error {
	return &AskError{Addon: a.Addon, Path: path, Err: err}
}

// claim gives a name to an add-on. What has names of its own beside the add-ons'
// stands in owners from the start.
func claim(owners map[string]string, name, addon string) error {
	other, taken := owners[name]
	switch {
	case !taken:
		owners[name] = addon
		return nil
	case other == addon:
		return fmt.Errorf("%s is asked for twice", name)
	}
	return hint.With(fmt.Errorf("%s is taken: %s has it", name, other), "choose another name, such as %s-%s", addon, name)
}

// mayHave refuses policies that a role of an add-on cannot have: those that nobody
// made, and those that are as good as root.
func mayHave(policies map[string]string, role, policy string) error {
	switch {
	case policy == "root" || policy == ownRole:
		return hint.With(fmt.Errorf("role %s: the policy %s is not to be had: whoever has it may do anything in Vault", role, policy),
			"ask for a policy of your own that allows what the pods need")
	case policy == "default" || policies[policy] != "":
		return nil
	}
	names := slices.DeleteFunc(slices.Collect(maps.Keys(policies)), func(name string) bool { return name == ownRole })
	return hint.With(fmt.Errorf("role %s: there is no policy %q", role, policy), "%s", strictyaml.Nearest(policy, names))
}

// policyNames are the policies of the add-on's folder and those of Vault itself,
// with whose they are. The rules of all are checked.
func policyNames(files fs.FS) (map[string]string, error) {
	names, err := fs.Glob(files, policyFiles)
	if err != nil {
		return nil, fmt.Errorf("finding Vault's policies: %w", err)
	}
	owners := map[string]string{"root": "Vault itself", "default": "Vault itself"}
	for _, name := range names {
		rules, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("reading a policy of Vault's: %w", err)
		}
		if line, err := checkRules(rules); err != nil {
			return nil, &AskError{Addon: "vault", File: name, Line: line, Err: err}
		}
		owners[strings.TrimSuffix(path.Base(name), ".hcl")] = "the add-on vault (" + name + ")"
	}
	return owners, nil
}

// withAsked are the engines of the values and, where add-ons ask for certificates,
// the one that these come from.
func withAsked(all []Engine, asks []Ask) []Engine {
	var roles []PKIRole
	for _, ask := range asks {
		roles = append(roles, ask.Certificates...)
	}
	if len(roles) == 0 {
		return all
	}
	all = slices.Clone(all)
	for i := range all {
		if all[i].Path == pkiPath {
			all[i].Roles = slices.Concat(all[i].Roles, roles)
			return all
		}
	}
	return append(all, Engine{Path: pkiPath, Type: "pki", CommonName: pkiName, Roles: roles})
}

// The engine of the certificates that add-ons ask for, and its intermediate, unless
// the values say otherwise.
const (
	pkiPath = "pki"
	pkiName = "cluster CA"
)

// askedBy begins the note of what an add-on asks for.
const askedBy = "asked for by add-on "

// asked are the items that add-ons ask for, but for certificates: withAsked.
func asked(asks []Ask) []item {
	var items []item
	for _, ask := range asks {
		by := askedBy + ask.Addon
		for _, p := range ask.Policies {
			it := policy(p.Name, p.Rules)
			it.note = by
			items = append(items, it)
		}
		for _, r := range ask.Roles {
			it := role(r, nil)
			it.note = by
			items = append(items, it)
		}
	}
	return items
}
