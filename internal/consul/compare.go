// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"context"
	"slices"
	"strings"

	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/converge"
)

// compare reads from Consul and says what differs from what is asked for. While
// it is not known what the auth method should have, that is an error beside the
// rest of them.
func (s *session) compare(ctx context.Context, want desired) ([]edit, error) {
	l, err := s.look(ctx, want.policies, s.cluster.cfg.Reviewer)
	if err != nil {
		return nil, err
	}
	var edits []edit
	add := func(e *edit) {
		if e != nil {
			edits = append(edits, *e)
		}
	}
	for _, policy := range want.policies {
		add(comparePolicy(l.policies[policy.Name], policy))
	}
	for _, r := range want.roles {
		add(compareRole(l.roles, r))
	}
	for _, t := range want.tokens {
		add(compareToken(l.tokens, t, s.chosen(t)))
	}
	add(compareAnonymous(l.tokens, want.anonymous))
	add(compareMethod(l.method, l.reviewer, s.cluster.cfg.LoginTTL))
	for _, r := range want.rules {
		add(compareRule(l.rules, r))
	}
	return edits, l.notYet
}

// comparePolicy gives the edit that a policy needs, or nil.
func comparePolicy(live *api.ACLPolicy, want Policy) *edit {
	wanted := &api.ACLPolicy{Name: want.Name, Description: want.Description, Rules: want.Rules}
	e := &edit{change: converge.Change{Subject: "Consul policy " + want.Name}, stage: makePolicies}
	if live == nil {
		e.change.Action = converge.Create
		e.apply = call(func(acl *api.ACL, w *api.WriteOptions) error { _, _, err := acl.PolicyCreate(wanted, w); return err })
		return e
	}
	wanted.ID = live.ID
	e.change.Action = converge.Update
	e.change.Fields = differ(
		converge.Field{Path: "rules", Old: live.Rules, New: want.Rules},
		converge.Field{Path: "description", Old: live.Description, New: want.Description},
		converge.Field{Path: "datacenters", Old: strings.Join(live.Datacenters, ", ")},
	)
	e.apply = call(func(acl *api.ACL, w *api.WriteOptions) error { _, _, err := acl.PolicyUpdate(wanted, w); return err })
	return e.ifAny()
}

// compareRole gives the edit that a role needs, or nil.
func compareRole(live []*api.ACLRole, want role) *edit {
	wanted := &api.ACLRole{Name: want.name, Description: want.description, Policies: linksTo(want.policies)}
	e := &edit{change: converge.Change{Subject: "Consul role " + want.name}, stage: makeRoles}
	i := slices.IndexFunc(live, func(r *api.ACLRole) bool { return r.Name == want.name })
	if i < 0 {
		e.change.Action = converge.Create
		e.apply = call(func(acl *api.ACL, w *api.WriteOptions) error { _, _, err := acl.RoleCreate(wanted, w); return err })
		return e
	}
	there := live[i]
	wanted.ID = there.ID
	e.change.Action = converge.Update
	e.change.Fields = differ(
		converge.Field{Path: "policies", Old: names(there.Policies), New: names(wanted.Policies)},
		converge.Field{Path: "description", Old: there.Description, New: want.description},
		converge.Field{Path: "identities", Old: identities(there.ServiceIdentities, there.NodeIdentities, there.TemplatedPolicies)},
	)
	e.apply = call(func(acl *api.ACL, w *api.WriteOptions) error { _, _, err := acl.RoleUpdate(wanted, w); return err })
	return e.ifAny()
}

// ifAny is the edit, or nil when no field differs.
func (e *edit) ifAny() *edit {
	if len(e.change.Fields) == 0 {
		return nil
	}
	return e
}

func linksTo(names []string) []*api.ACLLink {
	var links []*api.ACLLink
	for _, name := range names {
		links = append(links, &api.ACLLink{Name: name})
	}
	return links
}

func names(links []*api.ACLLink) string {
	var names []string
	for _, link := range links {
		names = append(names, link.Name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// identities are the other ways in which rights can be given.
func identities(services []*api.ACLServiceIdentity, nodes []*api.ACLNodeIdentity, templated []*api.ACLTemplatedPolicy) string {
	var names []string
	for _, i := range services {
		names = append(names, "service "+i.ServiceName)
	}
	for _, i := range nodes {
		names = append(names, "node "+i.NodeName)
	}
	for _, i := range templated {
		names = append(names, "templated "+i.TemplateName)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
