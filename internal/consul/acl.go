// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"context"
	"errors"
	"reflect"
	"slices"

	"clusterup.dev/clusterup/internal/converge"
)

// aclStep keeps the policies and tokens that add-ons ask for. What others made
// in Consul it neither reads nor changes.
type aclStep struct{ *Cluster }

// Name is "consul/acl".
func (aclStep) Name() string { return ACLStep }

// Destroy does nothing: ACLs end with Consul's volumes.
func (aclStep) Destroy(context.Context) error { return nil }

// Plan compares what Consul holds with what is asked for.
func (a aclStep) Plan(ctx context.Context) (converge.Plan, error) {
	s, err := a.open(ctx)
	if err != nil {
		return converge.Plan{}, err
	}
	edits, err := s.compare(ctx, a.want)
	switch {
	case err == nil:
	case errors.Is(err, converge.ErrNotYet), ctx.Err() != nil:
		return converge.Plan{}, err
	case errors.Is(err, errNotBootstrapped), mayPass(err):
		return converge.Plan{After: BootstrapStep}, nil // which waits for a leader
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
	err = converge.Until(ctx, "Consul's policies and tokens", a.cfg.Timeout, func(ctx context.Context) (bool, string, error) {
		edits, err := s.compare(ctx, a.want)
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
			edits, err = s.compare(ctx, a.want)
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

// within reports whether all of these changes are among those.
func within(these, those []converge.Change) bool {
	return !slices.ContainsFunc(these, func(this converge.Change) bool {
		return !slices.ContainsFunc(those, func(that converge.Change) bool { return reflect.DeepEqual(this, that) })
	})
}

func (a aclStep) open(ctx context.Context) (*session, error) {
	s, err := a.session(ctx)
	if err != nil {
		return nil, err
	}
	return s, s.checkChosen(a.want.tokens)
}

// An edit is one difference and the call that mends it.
type edit struct {
	change converge.Change
	apply  func(context.Context) error
	policy bool    // policies come before the tokens that name them
	tokens []token // that servers do not know before
}

func changes(edits []edit) []converge.Change {
	var all []converge.Change
	for _, e := range edits {
		all = append(all, e.change)
	}
	return all
}
