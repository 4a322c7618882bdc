// SPDX-License-Identifier: Apache-2.0

package release

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

// Garbage is what nothing needs any more.
type Garbage struct {
	Releases []Listed // that go, their indexes first
	Objects  []string // keys that no index names then
	Attempts []string // keys that are pruned and order nothing that is kept
	Bytes    int64    // of the objects
	Kept     int      // releases that stay
	// Oldest is the first attempt of the oldest release that stays; zero when that
	// is not known.
	Oldest time.Time

	current Pointer
}

// Empty reports whether there is nothing to delete.
func (g Garbage) Empty() bool { return len(g.Releases)+len(g.Objects)+len(g.Attempts) == 0 }

// Garbage finds what may be deleted. What stays is the current release, the one
// before it, what was attempted since, and the keep releases that were first
// attempted last. It refuses when one of these cannot be read: what it
// needs is not known then.
func (l *Library) Garbage(ctx context.Context, keep int) (Garbage, error) {
	s, err := l.shelf(ctx)
	if err != nil {
		return Garbage{}, err
	}
	g := Garbage{current: s.current}
	needed, orders := map[string]bool{}, map[int64]bool{}
	for i, r := range s.releases {
		if !r.Current && !r.Previous && !r.Since && i >= keep {
			g.Releases = append(g.Releases, r)
			continue
		}
		if r.Damage != nil {
			return Garbage{}, fmt.Errorf("what release %s needs is not known: %w", r.Digest, r.Damage)
		}
		g.Kept++
		orders[r.First] = true
		for _, key := range r.keys() {
			needed[key] = true
		}
		if !r.Attempted.IsZero() && (g.Oldest.IsZero() || r.Attempted.Before(g.Oldest)) {
			g.Oldest = r.Attempted
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.objects)) {
		if !needed[key] {
			g.Objects = append(g.Objects, key)
			g.Bytes += s.objects[key].Size
		}
	}
	for _, a := range s.attempts {
		if a.seq <= s.current.Attempt && !orders[a.seq] {
			g.Attempts = append(g.Attempts, a.key)
		}
	}
	return g, nil
}

// Collect deletes g: the indexes, then the objects, then the attempts. So, when it
// is cut off, every index that is there still has its objects. check says
// whether the run lock is still held; it is asked before each of the three, and the
// pointer has to be where Garbage saw it.
func (l *Library) Collect(ctx context.Context, g Garbage, check func(ctx context.Context) error) error {
	indexes := make([]string, 0, len(g.Releases))
	for _, r := range g.Releases {
		indexes = append(indexes, indexKey(r.Digest))
	}
	for _, keys := range [][]string{indexes, g.Objects, g.Attempts} {
		if len(keys) == 0 {
			continue
		}
		if err := check(ctx); err != nil {
			return err
		}
		if now, err := l.Current(ctx); err != nil {
			return err
		} else if now != g.current {
			return fmt.Errorf("another run has moved the pointer: %w", converge.ErrStale)
		}
		if err := l.delete(ctx, keys); err != nil {
			return err
		}
	}
	return nil
}

func (l *Library) delete(ctx context.Context, keys []string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(inFlight)
	for _, key := range keys {
		group.Go(func() error { return l.Bucket.Delete(ctx, key) })
	}
	if err := group.Wait(); err != nil {
		if hint.Of(err) == "" && !errors.Is(err, context.Canceled) {
			err = hint.With(err, "what is left is consistent: run it again")
		}
		return err
	}
	return nil
}
