// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"context"
	"slices"
	"strings"

	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/converge"
)

// leftovers are what carries our mark and is asked for by nobody any more: it
// lets somebody in, or would if somebody named it.
func (s *session) leftovers(ctx context.Context, want desired) ([]edit, error) {
	l, err := s.look(ctx, nil, nil)
	if err != nil {
		return nil, err
	}
	var edits []edit
	drop := func(stage stage, subject string, apply func(context.Context, *session) error) {
		edits = append(edits, edit{change: converge.Change{Subject: subject, Action: converge.Delete, Note: "no add-on asks for it"}, stage: stage, apply: apply})
	}
	kept := map[string]bool{}
	for _, r := range want.rules {
		if i := findRule(l.rules, r); i >= 0 {
			kept[l.rules[i].ID] = true
		}
	}
	for _, r := range l.rules {
		if marked(r.Description) && !kept[r.ID] {
			drop(dropRules, subjectOf(r), gone(func(acl *api.ACL, w *api.WriteOptions) error { _, err := acl.BindingRuleDelete(r.ID, w); return err }))
		}
	}
	for _, t := range l.tokens {
		if marked(t.Description) && t.AuthMethod == "" && !s.wants(want, t.AccessorID) && !manages(t.Policies) {
			drop(dropTokens, "Consul token "+t.AccessorID+" ("+t.Description+")", dropToken(t.AccessorID))
		}
	}
	if l.method != nil && marked(l.method.Description) && s.cluster.cfg.Reviewer == nil {
		drop(dropTokens, "Consul auth method "+authMethod, dropMethod)
	}
	for _, r := range l.roles {
		if marked(r.Description) && !slices.ContainsFunc(want.roles, func(w role) bool { return w.name == r.Name }) {
			drop(dropRoles, "Consul role "+r.Name, gone(func(acl *api.ACL, w *api.WriteOptions) error { _, err := acl.RoleDelete(r.ID, w); return err }))
		}
	}
	for _, p := range l.listed {
		if marked(p.Description) && !slices.ContainsFunc(want.policies, func(w Policy) bool { return w.Name == p.Name }) {
			drop(dropPolicies, "Consul policy "+p.Name, gone(func(acl *api.ACL, w *api.WriteOptions) error { _, err := acl.PolicyDelete(p.ID, w); return err }))
		}
	}
	slices.SortStableFunc(edits, func(a, b edit) int {
		if a.stage != b.stage {
			return int(a.stage - b.stage)
		}
		return strings.Compare(a.change.Subject, b.change.Subject)
	})
	return edits, nil
}

func marked(description string) bool { return strings.HasPrefix(description, ours) }

func (s *session) wants(want desired, accessor string) bool {
	return slices.ContainsFunc(want.tokens, func(t token) bool { return s.chosen(t).AccessorID == accessor })
}

// manages reports whether a token can do everything. Such a one is never left
// over: who made it may need it to go on.
func manages(policies []*api.ACLTokenPolicyLink) bool {
	return slices.ContainsFunc(policies, func(p *api.ACLTokenPolicyLink) bool { return p.Name == managementPolicy })
}
