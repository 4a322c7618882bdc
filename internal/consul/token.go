// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

// compareToken gives the edit that a token needs, or nil.
func compareToken(live []*api.ACLTokenListEntry, want token, wanted *api.ACLToken) *edit {
	e := &edit{change: converge.Change{Subject: "Consul token " + want.id}, stage: makeTokens}
	create := call(func(acl *api.ACL, w *api.WriteOptions) error { _, _, err := acl.TokenCreate(wanted, w); return err })
	there := findToken(live, wanted.AccessorID)
	if there == nil {
		e.change.Action = converge.Create
		e.apply, e.tokens = create, []token{want}
		return e
	}
	fixed := fixedDifferences(there, wanted)
	e.change.Fields = append(fixed, differ(
		converge.Field{Path: "policies", Old: names(there.Policies), New: names(wanted.Policies)},
		converge.Field{Path: "roles", Old: names(there.Roles), New: names(wanted.Roles)},
		converge.Field{Path: "description", Old: there.Description, New: wanted.Description},
		converge.Field{Path: "identities", Old: identities(there.ServiceIdentities, there.NodeIdentities, there.TemplatedPolicies)},
	)...)
	if len(fixed) == 0 {
		e.change.Action = converge.Update
		e.apply = call(func(acl *api.ACL, w *api.WriteOptions) error { _, _, err := acl.TokenUpdate(wanted, w); return err })
		return e.ifAny()
	}
	e.change.Action = converge.Replace
	e.tokens = []token{want}
	e.apply = func(ctx context.Context, s *session) error {
		if err := dropToken(wanted.AccessorID)(ctx, s); err != nil {
			return err
		}
		return create(ctx, s)
	}
	return e
}

func findToken(live []*api.ACLTokenListEntry, accessor string) *api.ACLTokenListEntry {
	if i := slices.IndexFunc(live, func(t *api.ACLTokenListEntry) bool { return t.AccessorID == accessor }); i >= 0 {
		return live[i]
	}
	return nil
}

// fixedDifferences are those that Consul does not let change in a token.
func fixedDifferences(live *api.ACLTokenListEntry, wanted *api.ACLToken) []converge.Field {
	var fields []converge.Field
	if live.SecretID != wanted.SecretID {
		fields = append(fields, converge.Field{Path: "secretID", Old: "(another secret)", New: "(the chosen secret)"})
	}
	if live.Local {
		fields = append(fields, converge.Field{Path: "local", Old: "true", New: "false"})
	}
	if live.ExpirationTime != nil {
		fields = append(fields, converge.Field{Path: "expirationTime", Old: live.ExpirationTime.String()})
	}
	return fields
}

// anonymousToken is the accessor of the token that counts for a request without
// one. Consul makes it, and its secret is known to everybody.
const anonymousToken = "00000000-0000-0000-0000-000000000002"

// compareAnonymous gives the edit that the anonymous token needs, or nil.
func compareAnonymous(live []*api.ACLTokenListEntry, want *Anonymous) *edit {
	if want == nil {
		return nil
	}
	there := findToken(live, anonymousToken)
	if there == nil { // a leader of a few milliseconds has not made it yet
		there = &api.ACLTokenListEntry{Description: "Anonymous Token"}
	}
	wanted := &api.ACLToken{AccessorID: anonymousToken, Description: there.Description, Policies: linksTo(want.Policies)}
	e := &edit{change: converge.Change{Subject: "Consul anonymous token", Action: converge.Update}, stage: makeTokens}
	e.change.Fields = differ(
		converge.Field{Path: "policies", Old: names(there.Policies), New: names(wanted.Policies)},
		converge.Field{Path: "roles", Old: names(there.Roles)},
		converge.Field{Path: "identities", Old: identities(there.ServiceIdentities, there.NodeIdentities, there.TemplatedPolicies)},
	)
	e.apply = call(func(acl *api.ACL, w *api.WriteOptions) error { _, _, err := acl.TokenUpdate(wanted, w); return err })
	return e.ifAny()
}

// checkChosen refuses tokens whose ids were not made.
func (s *session) checkChosen(tokens []token) error {
	for _, t := range tokens {
		_, ok := s.tokens.Secret(t.id)
		if accessor, _ := s.tokens.Public(t.id); !ok || accessor == "" {
			return hint.With(fmt.Errorf("the Consul token %s has no ids", t.id), "declare it under tokens in the add-on's addon.yaml, kind acl-token")
		}
	}
	return nil
}

// chosen is the token as it should be, with the ids made beforehand.
func (s *session) chosen(want token) *api.ACLToken {
	value, _ := s.tokens.Secret(want.id)
	accessor, _ := s.tokens.Public(want.id)
	return &api.ACLToken{
		AccessorID: accessor, SecretID: value.RevealString(), Description: want.description,
		Policies: linksTo(want.policies), Roles: linksTo(want.roles),
	}
}

func dropToken(accessor string) func(context.Context, *session) error {
	return gone(func(acl *api.ACL, w *api.WriteOptions) error { _, err := acl.TokenDelete(accessor, w); return err })
}

// awaitTokens returns when every server that answers knows the tokens itself.
func (s *session) awaitTokens(ctx context.Context, tokens []token) error {
	for i, server := range s.servers {
		for _, t := range tokens {
			value, _ := s.tokens.Secret(t.id)
			what := fmt.Sprintf("%s to know the token %s", s.cluster.server(i), t.id)
			err := converge.Until(ctx, what, s.cluster.cfg.Timeout, func(ctx context.Context) (bool, string, error) {
				query := &api.QueryOptions{AllowStale: true, Token: value.RevealString()}
				_, _, err := server.ACL().TokenReadSelf(query.WithContext(ctx))
				var status api.StatusError
				down := err != nil && !errors.As(err, &status)
				return err == nil || down, "", err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
