// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

// A rule gives those who log in as a ServiceAccount a role. Consul gives rules
// no names; ours are told from each other by their description and their role.
type rule struct {
	account     string // "web/web": namespace and name
	description string
	selector    string
	role        string
}

func (r rule) key() string { return r.account + " " + r.role }

var (
	dnsLabel     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	dnsSubdomain = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
)

func (c *combiner) addRules(ask Ask) error {
	for i, login := range ask.Logins {
		at := []any{"logins", i}
		account := login.Namespace + "/" + login.ServiceAccount
		switch {
		case !dnsSubdomain.MatchString(login.ServiceAccount) || len(login.ServiceAccount) > 253:
			return ask.errorf(append(at, "serviceAccount"), "%q cannot be the name of a ServiceAccount", login.ServiceAccount)
		case !dnsLabel.MatchString(login.Namespace):
			return ask.errorf(append(at, "namespace"), "%q cannot name a namespace", login.Namespace)
		case len(login.Roles) == 0:
			return hint.With(ask.errorf(at, "the login of %s has no roles", account), "without one Consul refuses it")
		}
		if err := c.known(ask, append(at, "roles"), "the login of "+account, "role", login.Roles); err != nil {
			return err
		}
		for _, name := range sorted(login.Roles) {
			r := rule{
				account: account, description: mark(ask.Addon, account), role: name,
				selector: fmt.Sprintf("serviceaccount.namespace==%q and serviceaccount.name==%q", login.Namespace, login.ServiceAccount),
			}
			if slices.ContainsFunc(c.rules, func(other rule) bool { return other.key() == r.key() }) {
				return ask.errorf(at, "the login of %s with the role %s is asked for twice", account, name)
			}
			c.rules = append(c.rules, r)
		}
	}
	return nil
}

// compareRule gives the edit that a rule needs, or nil.
func compareRule(live []*api.ACLBindingRule, want rule) *edit {
	wanted := &api.ACLBindingRule{
		Description: want.description, AuthMethod: authMethod, Selector: want.selector, BindType: api.BindingRuleBindTypeRole, BindName: want.role,
	}
	e := &edit{change: converge.Change{Subject: subjectOf(wanted)}, stage: makeRules}
	i := findRule(live, want)
	if i < 0 {
		e.change.Action = converge.Create
		e.apply = call(func(acl *api.ACL, w *api.WriteOptions) error {
			_, _, err := acl.BindingRuleCreate(wanted, w)
			return err
		})
		return e
	}
	wanted.ID = live[i].ID
	e.change.Action = converge.Update
	e.change.Fields = differ(
		converge.Field{Path: "selector", Old: live[i].Selector, New: want.selector},
		converge.Field{Path: "bindType", Old: string(live[i].BindType), New: string(wanted.BindType)},
	)
	e.apply = call(func(acl *api.ACL, w *api.WriteOptions) error {
		_, _, err := acl.BindingRuleUpdate(wanted, w)
		return err
	})
	return e.ifAny()
}

// findRule is the index of the rule that stands for want, one that needs nothing
// before others; -1 for none.
func findRule(live []*api.ACLBindingRule, want rule) int {
	found := -1
	for i, r := range live {
		if r.AuthMethod != authMethod || r.Description != want.description || r.BindName != want.role {
			continue
		}
		if r.Selector == want.selector && r.BindType == api.BindingRuleBindTypeRole {
			return i
		}
		if found < 0 {
			found = i
		}
	}
	return found
}

func subjectOf(r *api.ACLBindingRule) string {
	return fmt.Sprintf("Consul binding rule %q to %s %s", r.Description, r.BindType, r.BindName)
}
