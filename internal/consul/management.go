// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"context"
	"fmt"

	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/secret"
)

// The management token is rotated by making one more generation of it: whatever
// older one still manages this Consul makes the newest, and is deleted when every
// server knows that one. The same brings a Consul up to date that was restored
// from a snapshot of before a rotation.

// rotation is what is to be done about older generations; works says that the
// newest one manages this Consul.
func (s *session) rotation(ctx context.Context, works bool) ([]converge.Change, error) {
	old, err := s.managers(ctx)
	if err != nil || len(old) == 0 {
		return nil, err
	}
	number, _ := s.tokens.Generation(bootstrapToken)
	var changes []converge.Change
	if !works {
		changes = append(changes, converge.Change{
			Subject: fmt.Sprintf("Consul management token, generation %d", number), Action: converge.Create,
			Note: fmt.Sprintf("by generation %d", old[0].Number),
		})
	}
	for _, m := range old {
		changes = append(changes, converge.Change{
			Subject: fmt.Sprintf("Consul management token, generation %d", m.Number), Action: converge.Delete, Note: "it was rotated",
		})
	}
	return changes, nil
}

// rotate makes the newest generation manage this Consul and deletes the older
// ones. It is done when there is nothing left of them, which is false when none
// of them was there and the newest does not work either.
func (s *session) rotate(ctx context.Context, works bool) (done bool, err error) {
	old, err := s.managers(ctx)
	if err != nil || len(old) == 0 {
		return works, err
	}
	if !works {
		converge.Progress(ctx, "making the new management token of Consul")
		if err := s.succeed(ctx, old[0]); err != nil {
			return false, err
		}
	}
	if err := s.awaitTokens(ctx, []token{{id: bootstrapToken}}); err != nil {
		return false, err
	}
	for _, m := range old {
		if err := dropToken(m.accessor)(ctx, s); err != nil {
			return false, err
		}
	}
	return true, nil
}

// succeed makes the newest generation with the rights of an older one.
func (s *session) succeed(ctx context.Context, by manager) error {
	number, _ := s.tokens.Generation(bootstrapToken)
	accessor, _ := s.tokens.Public(bootstrapToken)
	wanted := &api.ACLToken{
		AccessorID: accessor, SecretID: s.token.RevealString(),
		Description: fmt.Sprintf("Management token of clusterup, generation %d", number),
		Policies:    []*api.ACLTokenPolicyLink{{Name: managementPolicy}},
	}
	return s.write(ctx, func(ctx context.Context, server *api.Client) error {
		options := (&api.WriteOptions{Token: by.Secret.RevealString()}).WithContext(ctx)
		_, _, err := server.ACL().TokenCreate(wanted, options)
		return err
	})
}

// manager is an older generation that Consul takes for a management token.
type manager struct {
	secret.Generation
	accessor string
}

// managers are the older generations that still manage this Consul, newest first.
func (s *session) managers(ctx context.Context) ([]manager, error) {
	generations, err := s.older(ctx, bootstrapToken)
	if err != nil {
		return nil, err
	}
	var all []manager
	for _, g := range generations {
		var live *api.ACLToken
		err := s.read(ctx, func(ctx context.Context, server *api.Client) (err error) {
			live, _, err = server.ACL().TokenReadSelf((&api.QueryOptions{Token: g.Secret.RevealString()}).WithContext(ctx))
			return err
		})
		switch {
		case unknownToken(err) || absent(err):
			continue
		case err != nil:
			return nil, err
		}
		if manages(live.Policies) {
			all = append(all, manager{g, live.AccessorID})
		}
	}
	return all, nil
}

// older reads the older generations of a token, if there are any.
func (s *session) older(ctx context.Context, id string) ([]secret.Generation, error) {
	if _, numbers := s.tokens.Generation(id); len(numbers) == 0 || s.cluster.cfg.Older == nil {
		return nil, nil
	}
	return s.cluster.cfg.Older(ctx, id)
}
