// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/release"
	"clusterup.dev/clusterup/internal/secret"
)

// makeTokens makes every secret that is not there yet, before anything is
// rendered. Tokens outlive a destroy; only a purge deletes them.
func (s *Session) makeTokens() converge.Step {
	return step{
		name: makeTokens,
		plan: func(ctx context.Context) (converge.Plan, error) {
			missing, err := s.keeper.Missing(ctx, s.specs)
			if err != nil {
				return converge.Plan{}, err
			}
			p := converge.Plan{Basis: missing}
			for _, spec := range missing {
				p.Changes = append(p.Changes, converge.Change{Subject: "token " + spec.ID(), Action: converge.Create, Note: string(spec.Kind)})
			}
			return p, nil
		},
		apply: func(ctx context.Context, p converge.Plan) error {
			missing, ok := p.Basis.([]secret.Spec)
			if !ok {
				return converge.ErrStale
			}
			return s.keeper.Make(ctx, missing)
		},
	}
}

// stage renders the release and puts it into the bucket, where nothing of it
// ever changes. The attempt is recorded before anything of it is applied, so
// that what a run left behind is known even if that run died.
func (s *Session) stage() converge.Step {
	return step{
		name: stage,
		plan: func(ctx context.Context) (converge.Plan, error) {
			want, err := s.rendered(ctx)
			if err != nil {
				return converge.Plan{}, err
			}
			p := converge.Plan{Notices: s.doubts, Changes: []converge.Change{{Subject: "release " + Short(want.Digest), Action: converge.Create}}}
			if _, err = s.staged(ctx); errors.Is(err, converge.ErrNotYet) {
				return p, nil
			}
			if err != nil {
				return converge.Plan{}, err
			}
			inventory, err := s.inventory(ctx)
			if err != nil || inventory.Knows(want.Digest) {
				return converge.Plan{Notices: s.doubts}, err
			}
			p.Changes[0].Action, p.Changes[0].Note = converge.Update, "attempted again"
			return p, nil
		},
		apply: func(ctx context.Context, _ converge.Plan) error {
			want, err := s.rendered(ctx)
			if err != nil {
				return err
			}
			library, err := s.library(ctx)
			if err != nil {
				return err
			}
			if err := library.Stage(ctx, want); err != nil {
				return err
			}
			s.attempting(ctx, want.Digest)
			return library.Attempt(ctx, want.Digest)
		},
		destroy: s.forgetRelease,
	}
}

// forgetRelease records that nothing of any release is left in the cluster.
func (s *Session) forgetRelease(ctx context.Context) error {
	inventory, err := s.inventory(ctx)
	nothing := inventory.Current.Digest == "" && len(inventory.Refs) == 0
	if err != nil || nothing || inventory.Settled("") {
		return err
	}
	return (&release.Library{Bucket: s.bucket}).Promote(ctx, "", inventory, s.lease.Fence())
}

// promote makes the release the current one, once all of it is applied, every
// add-on is ready, and what it lacks is pruned.
func (s *Session) promote() converge.Step {
	return step{
		name: promote,
		plan: func(ctx context.Context) (converge.Plan, error) {
			want, err := s.rendered(ctx)
			if err != nil {
				return converge.Plan{}, err
			}
			inventory, err := s.inventory(ctx)
			if err != nil || inventory.Settled(want.Digest) {
				return converge.Plan{}, err
			}
			note := "the first"
			if inventory.Current.Digest != "" {
				note = "instead of " + Short(inventory.Current.Digest)
			}
			change := converge.Change{Subject: "current release " + Short(want.Digest), Action: converge.Update, Note: note}
			return converge.Plan{Changes: []converge.Change{change}, Basis: inventory}, nil
		},
		apply: func(ctx context.Context, p converge.Plan) error {
			was, ok := p.Basis.(release.Inventory)
			if !ok {
				return converge.ErrStale
			}
			want, err := s.rendered(ctx)
			if err != nil {
				return err
			}
			if err := s.lease.Check(ctx); err != nil {
				return fmt.Errorf("before promoting: %w", err)
			}
			library, err := s.library(ctx)
			if err != nil {
				return err
			}
			return library.Promote(ctx, want.Digest, was, s.lease.Fence())
		},
	}
}

// inventory reads what may be in the cluster: once while all steps are planned, and
// anew for whatever changes something. It needs no key, so that an environment can be
// removed by someone who has lost theirs.
func (s *Session) inventory(ctx context.Context) (release.Inventory, error) {
	if planned := s.planning.Load(); planned != nil {
		return (*planned)(ctx)
	}
	return s.inventoryNow(ctx)
}

func (s *Session) inventoryNow(ctx context.Context) (release.Inventory, error) {
	return (&release.Library{Bucket: s.bucket}).Inventory(ctx)
}

// Short is a digest as people read it.
func Short(digest string) string { return digest[:min(12, len(digest))] }
