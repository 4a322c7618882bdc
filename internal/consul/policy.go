// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"cmp"
	"context"
	"strings"

	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/converge"
)

// comparePolicy gives the edit that a policy needs, or nil.
func (s *session) comparePolicy(ctx context.Context, want Policy) (*edit, error) {
	var live *api.ACLPolicy
	err := s.read(ctx, func(ctx context.Context, server *api.Client) (err error) {
		live, _, err = server.ACL().PolicyReadByName(want.Name, (&api.QueryOptions{}).WithContext(ctx))
		return err
	})
	if err != nil && !absent(err) {
		return nil, err
	}
	wanted := &api.ACLPolicy{Name: want.Name, Description: want.Description, Rules: want.Rules}
	change := converge.Change{Subject: "Consul policy " + want.Name}
	if live == nil {
		change.Action = converge.Create
		return &edit{change: change, policy: true, apply: func(ctx context.Context) error {
			return s.write(ctx, func(ctx context.Context, server *api.Client) error {
				_, _, err := server.ACL().PolicyCreate(wanted, (&api.WriteOptions{}).WithContext(ctx))
				return err
			})
		}}, nil
	}
	wanted.ID = live.ID
	change.Action = converge.Update
	change.Fields = differ(
		converge.Field{Path: "rules", Old: live.Rules, New: want.Rules},
		converge.Field{Path: "description", Old: live.Description, New: want.Description},
		converge.Field{Path: "datacenters", Old: strings.Join(live.Datacenters, ", ")},
	)
	if len(change.Fields) == 0 {
		return nil, nil
	}
	return &edit{change: change, policy: true, apply: func(ctx context.Context) error {
		return s.write(ctx, func(ctx context.Context, server *api.Client) error {
			_, _, err := server.ACL().PolicyUpdate(wanted, (&api.WriteOptions{}).WithContext(ctx))
			return err
		})
	}}, nil
}

// differ keeps the fields whose sides differ by more than space around them.
func differ(fields ...converge.Field) []converge.Field {
	var kept []converge.Field
	for _, f := range fields {
		if cmp.Compare(strings.TrimSpace(f.Old), strings.TrimSpace(f.New)) != 0 {
			kept = append(kept, f)
		}
	}
	return kept
}
