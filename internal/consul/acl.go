// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"context"
	"errors"
	"reflect"

	"clusterup.dev/clusterup/internal/converge"
)

// aclStep is one of two. consul/acl makes and corrects what add-ons ask for, and
// stands before whoever needs Consul. consul/revoke takes away what nobody asks
// for any more, and stands behind everybody: until then a pod may use it.
// Neither changes what others made in Consul.
type aclStep struct {
	*Cluster
	name     string
	before   string // the step that Consul answers after
	waitsFor string // what Apply says it waits for
	edits    func(*session, context.Context, desired) ([]edit, error)
}

func (c *Cluster) aclStep() converge.Step {
	return aclStep{Cluster: c, name: ACLStep, before: BootstrapStep, waitsFor: "Consul's ACLs", edits: (*session).compare}
}

// revokeStep deletes policies, roles, tokens, binding rules and the auth method
// that carry our mark and that no add-on asks for.
func (c *Cluster) revokeStep() converge.Step {
	return aclStep{Cluster: c, name: RevokeStep, before: ACLStep, waitsFor: "Consul to forget what nobody asks for", edits: (*session).leftovers}
}

// Name is "consul/acl" or "consul/revoke".
func (a aclStep) Name() string { return a.name }

// Destroy does nothing: ACLs end with Consul's volumes.
func (aclStep) Destroy(context.Context) error { return nil }

// Plan compares what Consul holds with what is asked for.
func (a aclStep) Plan(ctx context.Context) (converge.Plan, error) {
	s, err := a.open(ctx)
	if err != nil {
		return converge.Plan{}, err
	}
	edits, err := a.edits(s, ctx, a.want)
	switch {
	case err == nil:
	case errors.Is(err, converge.ErrNotYet), ctx.Err() != nil:
		return converge.Plan{Changes: changes(edits)}, err
	case errors.Is(err, errNotBootstrapped), mayPass(err):
		return converge.Plan{After: a.before}, nil // which waits for a leader
	default:
		return converge.Plan{}, err
	}
	return converge.Plan{Changes: changes(edits)}, nil
}

// Apply corrects what differs, and returns when every server that answers knows
// the new tokens: an agent may ask any of them.
func (a aclStep) Apply(ctx context.Context, p converge.Plan) error {
	s, err := a.open(ctx)
	if err != nil {
		return err
	}
	var written []token
	var refused []converge.Change // what the last round could not write
	first := true
	err = converge.Until(ctx, a.waitsFor, a.cfg.Timeout, func(ctx context.Context) (bool, string, error) {
		edits, err := a.edits(s, ctx, a.want)
		if err != nil || len(edits) == 0 {
			return err == nil, "", impatient(err)
		}
		left := changes(edits)
		if first && !within(left, p.Changes) {
			return false, "", converge.Permanent(converge.ErrStale)
		}
		first = false
		for _, e := range edits {
			written = append(written, e.tokens...)
		}
		switch err := s.carryOut(ctx, edits); {
		case err == nil:
			edits, err = a.edits(s, ctx, a.want)
			return err == nil && len(edits) == 0, "they were changed meanwhile", impatient(err)
		case transient(err) || !reflect.DeepEqual(left, refused): // a call of a run that was killed may arrive late
			refused = left
			return false, "", err
		default:
			return false, "", converge.Permanent(err)
		}
	})
	if err != nil {
		return err
	}
	return s.awaitTokens(ctx, written)
}

func (a aclStep) open(ctx context.Context) (*session, error) {
	s, err := a.session(ctx)
	if err != nil {
		return nil, err
	}
	return s, s.checkChosen(a.want.tokens)
}
