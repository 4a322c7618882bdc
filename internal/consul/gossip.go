// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/converge"
)

// gossipStep makes the newest generation of the gossip key the one that every
// member encrypts with. The older ones stay in the keyring, so that a member that
// starts with one of them is understood, until retireStep takes them out.
//
// A member reads the key of its configuration only when it starts with an empty
// data folder; from then on its keyring counts. So this needs no restart.
type gossipStep struct{ *Cluster }

// Name is "consul/gossip".
func (gossipStep) Name() string { return GossipStep }

// Destroy does nothing: the keyring ends with the members.
func (gossipStep) Destroy(context.Context) error { return nil }

// Plan compares the keyring of the members with the newest generation.
func (g gossipStep) Plan(ctx context.Context) (converge.Plan, error) {
	s, err := g.session(ctx)
	if err != nil {
		return converge.Plan{}, err
	}
	ring, err := s.gossip(ctx)
	if err != nil {
		return notYetKnown(ctx, err, BootstrapStep)
	}
	plan := converge.Plan{Notices: ring.strangers()}
	if change := ring.change(); change != nil {
		plan.Changes = []converge.Change{*change}
	}
	return plan, nil
}

// Apply installs the key on every member and then makes each use it. Every call
// can be made again, whatever came of the one before.
func (g gossipStep) Apply(ctx context.Context, _ converge.Plan) error {
	s, err := g.session(ctx)
	if err != nil {
		return err
	}
	return converge.Until(ctx, "every member to use the newest gossip key", g.cfg.Timeout, func(ctx context.Context) (bool, string, error) {
		ring, err := s.gossip(ctx)
		if err != nil {
			return false, "", impatient(err)
		}
		switch {
		case ring.change() == nil:
			return true, "", nil
		case ring.waits() != "":
			return false, ring.waits(), nil
		case ring.installed < ring.members:
			err = s.keyringCall(ctx, (*api.Operator).KeyringInstall, ring.key)
			return false, fmt.Sprintf("%d of %d members have it", ring.installed, ring.members), impatient(err)
		}
		err = s.keyringCall(ctx, (*api.Operator).KeyringUse, ring.key)
		return false, fmt.Sprintf("%d of %d members use it", ring.primary, ring.members), impatient(err)
	})
}

// retireStep takes older generations of the gossip key out of the keyring, once
// every Secret holds the newest.
type retireStep struct{ *Cluster }

// Name is "consul/retire".
func (retireStep) Name() string { return RetireStep }

// Destroy does nothing.
func (retireStep) Destroy(context.Context) error { return nil }

// Plan names the generations that are still in the keyring.
func (r retireStep) Plan(ctx context.Context) (converge.Plan, error) {
	s, err := r.session(ctx)
	if err != nil {
		return converge.Plan{}, err
	}
	if _, older := s.tokens.Generation(gossipToken); len(older) == 0 {
		return converge.Plan{}, nil
	}
	ring, err := s.gossip(ctx)
	if err != nil {
		return notYetKnown(ctx, err, GossipStep)
	}
	var plan converge.Plan
	for _, old := range ring.old {
		plan.Changes = append(plan.Changes, converge.Change{
			Subject: fmt.Sprintf("Consul gossip key, generation %d", old.number), Action: converge.Delete, Note: "it was rotated",
		})
	}
	if len(plan.Changes) > 0 && ring.change() != nil {
		return converge.Plan{After: GossipStep}, nil
	}
	return plan, nil
}

// Apply removes them, which is refused for a key that is in use.
func (r retireStep) Apply(ctx context.Context, _ converge.Plan) error {
	s, err := r.session(ctx)
	if err != nil {
		return err
	}
	return converge.Until(ctx, "every member to forget the older gossip keys", r.cfg.Timeout, func(ctx context.Context) (bool, string, error) {
		ring, err := s.gossip(ctx)
		if err != nil {
			return false, "", impatient(err)
		}
		if ring.change() != nil {
			return false, "", converge.Permanent(fmt.Errorf("not every member uses the newest gossip key any more: %w", converge.ErrStale))
		}
		if len(ring.old) > 0 && ring.waits() != "" {
			return false, ring.waits(), nil
		}
		for _, old := range ring.old {
			if err := s.keyringCall(ctx, (*api.Operator).KeyringRemove, old.key); err != nil {
				return false, "", impatient(err)
			}
		}
		return len(ring.old) == 0, fmt.Sprintf("%d are left", len(ring.old)), nil
	})
}

// notYetKnown is the plan where Consul cannot be asked yet.
func notYetKnown(ctx context.Context, err error, after string) (converge.Plan, error) {
	switch {
	case errors.Is(err, converge.ErrNotYet), ctx.Err() != nil:
		return converge.Plan{}, err
	case unknownToken(err), mayPass(err):
		return converge.Plan{After: after}, nil
	}
	return converge.Plan{}, err
}

// keyringCall carries out one operation on the keyring of all members.
func (s *session) keyringCall(ctx context.Context, do func(*api.Operator, string, *api.WriteOptions) error, key string) error {
	return s.write(ctx, func(ctx context.Context, server *api.Client) error {
		err := do(server.Operator(), key, (&api.WriteOptions{}).WithContext(ctx))
		var status api.StatusError
		if errors.As(err, &status) { // whatever it quotes, it does not quote the key
			status.Body = strings.ReplaceAll(status.Body, key, "(secret)")
			return status
		}
		return err
	})
}

// AwaitGossip returns when gossip reaches every server: before that, another key
// must not be made.
func (c *Cluster) AwaitGossip(ctx context.Context) error {
	s, err := c.session(ctx)
	if err != nil {
		return err
	}
	return converge.Until(ctx, "every Consul server to take part in gossip", c.cfg.Timeout, func(ctx context.Context) (bool, string, error) {
		away, err := s.away(ctx)
		return err == nil && len(away) == 0, gossipRing{away: away}.waits(), impatient(err)
	})
}

// UseNewestGossipKey makes every member use the newest generation, as the step
// consul/gossip does.
func (c *Cluster) UseNewestGossipKey(ctx context.Context) error {
	return gossipStep{c}.Apply(ctx, converge.Plan{})
}
