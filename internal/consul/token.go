// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

// compareToken gives the edit that a token needs, or nil.
func (s *session) compareToken(ctx context.Context, want token) (*edit, error) {
	wanted := s.chosen(want)
	var live *api.ACLToken
	err := s.read(ctx, func(ctx context.Context, server *api.Client) (err error) {
		live, _, err = server.ACL().TokenRead(wanted.AccessorID, (&api.QueryOptions{}).WithContext(ctx))
		return err
	})
	change := converge.Change{Subject: "Consul token " + want.id}
	switch {
	case absent(err):
		change.Action = converge.Create
		return &edit{change: change, tokens: []token{want}, apply: func(ctx context.Context) error {
			return s.createToken(ctx, wanted)
		}}, nil
	case err != nil:
		return nil, err
	}
	fixed := fixedDifferences(live, wanted)
	change.Fields = append(fixed, differ(
		converge.Field{Path: "policies", Old: links(live.Policies), New: links(wanted.Policies)},
		converge.Field{Path: "description", Old: live.Description, New: wanted.Description},
		converge.Field{Path: "roles", Old: roles(live.Roles)},
		converge.Field{Path: "identities", Old: identities(live)},
	)...)
	switch {
	case len(change.Fields) == 0:
		return nil, nil
	case len(fixed) == 0:
		change.Action = converge.Update
		return &edit{change: change, apply: func(ctx context.Context) error { return s.updateToken(ctx, wanted) }}, nil
	}
	change.Action = converge.Replace
	return &edit{change: change, tokens: []token{want}, apply: func(ctx context.Context) error {
		if err := s.deleteToken(ctx, wanted.AccessorID); err != nil {
			return err
		}
		return s.createToken(ctx, wanted)
	}}, nil
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
	wanted := &api.ACLToken{AccessorID: accessor, SecretID: value.RevealString(), Description: want.description}
	for _, name := range want.policies {
		wanted.Policies = append(wanted.Policies, &api.ACLTokenPolicyLink{Name: name})
	}
	return wanted
}

// fixedDifferences are those that Consul does not let change in a token.
func fixedDifferences(live, wanted *api.ACLToken) []converge.Field {
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

func (s *session) createToken(ctx context.Context, wanted *api.ACLToken) error {
	return s.write(ctx, func(ctx context.Context, server *api.Client) error {
		_, _, err := server.ACL().TokenCreate(wanted, (&api.WriteOptions{}).WithContext(ctx))
		return err
	})
}

func (s *session) updateToken(ctx context.Context, wanted *api.ACLToken) error {
	return s.write(ctx, func(ctx context.Context, server *api.Client) error {
		_, _, err := server.ACL().TokenUpdate(wanted, (&api.WriteOptions{}).WithContext(ctx))
		return err
	})
}

func (s *session) deleteToken(ctx context.Context, accessor string) error {
	return s.write(ctx, func(ctx context.Context, server *api.Client) error {
		_, err := server.ACL().TokenDelete(accessor, (&api.WriteOptions{}).WithContext(ctx))
		return err
	})
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

func links(policies []*api.ACLTokenPolicyLink) string {
	var names []string
	for _, p := range policies {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func roles(roles []*api.ACLTokenRoleLink) string {
	var names []string
	for _, r := range roles {
		names = append(names, r.Name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// identities are the other ways in which a token can be given rights.
func identities(t *api.ACLToken) string {
	var names []string
	for _, i := range t.ServiceIdentities {
		names = append(names, "service "+i.ServiceName)
	}
	for _, i := range t.NodeIdentities {
		names = append(names, "node "+i.NodeName)
	}
	for _, i := range t.TemplatedPolicies {
		names = append(names, "templated "+i.TemplateName)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
