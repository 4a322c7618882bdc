// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/strictyaml"
)

// desired is what all add-ons ask for together, each sorted by what names it.
type desired struct {
	policies  []Policy
	roles     []role
	tokens    []token
	rules     []rule
	anonymous *Anonymous // nil: nobody asks, and what it may do is left alone
}

type role struct {
	name, description string
	policies          []string // sorted
}

type token struct {
	id              string // "vault/consul"
	description     string
	policies, roles []string // sorted
}

// combiner checks what add-ons ask for against each other.
type combiner struct {
	desired
	policyOwner, roleOwner map[string]string // names → add-ons
	opener                 string            // the add-on that asks for anonymous
}

func combine(asks []Ask) (desired, error) {
	c := combiner{policyOwner: map[string]string{}, roleOwner: map[string]string{}}
	// Names first: they may be used by add-ons that come before their owner.
	for _, pass := range []func(Ask) error{c.addPolicies, c.addRoles, c.addTokens, c.addRules, c.addAnonymous} {
		for _, ask := range asks {
			if err := pass(ask); err != nil {
				return desired{}, err
			}
		}
	}
	slices.SortFunc(c.policies, func(a, b Policy) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(c.roles, func(a, b role) int { return strings.Compare(a.name, b.name) })
	slices.SortFunc(c.tokens, func(a, b token) int { return strings.Compare(a.id, b.id) })
	slices.SortFunc(c.rules, func(a, b rule) int { return strings.Compare(a.key(), b.key()) })
	return c.desired, nil
}

var (
	policyName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
	roleName   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)
)

func (c *combiner) addPolicies(ask Ask) error {
	for i, policy := range ask.Policies {
		at := []any{"policies", i, "name"}
		switch other, taken := c.policyOwner[policy.Name]; {
		case !policyName.MatchString(policy.Name):
			return ask.errorf(at, "%q cannot be the name of a Consul policy", policy.Name)
		case policy.Name == managementPolicy || policy.Name == "builtin":
			return ask.errorf(at, "the Consul policy %s is Consul's own", policy.Name)
		case taken:
			return ask.errorf(at, "add-ons %s and %s both ask for a Consul policy %s", other, ask.Addon, policy.Name)
		}
		c.policyOwner[policy.Name] = ask.Addon
		policy.Rules = strings.TrimSpace(policy.Rules) + "\n"
		policy.Description = mark(ask.Addon, policy.Description)
		c.policies = append(c.policies, policy)
	}
	return nil
}

func (c *combiner) addRoles(ask Ask) error {
	for i, r := range ask.Roles {
		at := []any{"roles", i, "name"}
		switch other, taken := c.roleOwner[r.Name]; {
		case !roleName.MatchString(r.Name):
			return ask.errorf(at, "%q cannot be the name of a Consul role", r.Name)
		case taken:
			return ask.errorf(at, "add-ons %s and %s both ask for a Consul role %s", other, ask.Addon, r.Name)
		}
		if err := c.known(ask, []any{"roles", i, "policies"}, "the Consul role "+r.Name, "policy", r.Policies); err != nil {
			return err
		}
		c.roleOwner[r.Name] = ask.Addon
		c.roles = append(c.roles, role{name: r.Name, description: mark(ask.Addon, r.Description), policies: sorted(r.Policies)})
	}
	return nil
}

func (c *combiner) addTokens(ask Ask) error {
	for i, t := range ask.Tokens {
		at := []any{"tokens", i}
		id := ask.Addon + "/" + t.Token
		switch {
		case t.Token == "" || strings.Contains(t.Token, "/"):
			return hint.With(ask.errorf(at, "%q is not the name of one of its tokens", t.Token),
				"declare it under tokens, kind acl-token, and write its name")
		case id == bootstrapToken:
			return ask.errorf(at, "%s is the management token and gets no policies", id)
		case slices.ContainsFunc(c.tokens, func(other token) bool { return other.id == id }):
			return ask.errorf(at, "add-on %s asks twice for the Consul token %s", ask.Addon, t.Token)
		}
		what := "the Consul token " + id
		if err := c.known(ask, append(at, "policies"), what, "policy", t.Policies); err != nil {
			return err
		}
		if err := c.known(ask, append(at, "roles"), what, "role", t.Roles); err != nil {
			return err
		}
		c.tokens = append(c.tokens, token{id: id, description: mark(ask.Addon, t.Description), policies: sorted(t.Policies), roles: sorted(t.Roles)})
	}
	return nil
}

func (c *combiner) addAnonymous(ask Ask) error {
	if ask.Anonymous == nil {
		return nil
	}
	if c.opener != "" {
		return ask.errorf([]any{"anonymous"}, "add-ons %s and %s both say what is allowed without a token", c.opener, ask.Addon)
	}
	c.opener = ask.Addon
	c.anonymous = &Anonymous{Policies: sorted(ask.Anonymous.Policies)}
	return c.known(ask, []any{"anonymous", "policies"}, "the anonymous token", "policy", ask.Anonymous.Policies)
}

// known refuses names of policies or roles that no add-on asks for.
func (c *combiner) known(ask Ask, at []any, who, kind string, names []string) error {
	owner := c.policyOwner
	if kind == "role" {
		owner = c.roleOwner
	}
	for i, name := range names {
		if owner[name] == "" {
			err := ask.errorf(append(at[:len(at):len(at)], i), "%s wants the %s %q, which no add-on asks for", who, kind, name)
			return hint.With(err, "%s", nearest(kind, name, slices.Collect(maps.Keys(owner))))
		}
	}
	return nil
}

func nearest(kind, name string, names []string) string {
	if len(names) == 0 {
		return fmt.Sprintf("no add-on asks for a %s; write it in the section consul of an addon.yaml", kind)
	}
	return strictyaml.Nearest(name, names)
}

func sorted(names []string) []string { return slices.Compact(slices.Sorted(slices.Values(names))) }
