// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"clusterup.dev/clusterup/internal/journal"
	"clusterup.dev/clusterup/internal/release"
)

// keptRuns is how many runs stay in the journal whatever becomes of their releases.
const keptRuns = 100

// Garbage is what a collection would delete, or has deleted.
type Garbage struct {
	Releases []Release `json:"releases"` // that go
	Objects  int       `json:"objects"`
	Bytes    int64     `json:"bytes"` // of the objects
	Attempts int       `json:"attempts"`
	Runs     int       `json:"runs"` // records of the journal
	Kept     int       `json:"kept"` // releases that stay

	found release.Garbage
	runs  []string
}

// Empty reports whether there is nothing to delete.
func (g Garbage) Empty() bool { return g.found.Empty() && len(g.runs) == 0 }

// Garbage finds what is needed neither by the current release, the one before it, the
// attempts since, nor the newest keep releases; and runs that began before all of these.
func (s *Session) Garbage(ctx context.Context, keep int) (Garbage, error) {
	found, err := (&release.Library{Bucket: s.bucket}).Garbage(ctx, keep)
	if err != nil {
		return Garbage{}, err
	}
	g := Garbage{
		Releases: []Release{}, Objects: len(found.Objects), Bytes: found.Bytes, Attempts: len(found.Attempts), Kept: found.Kept, found: found,
	}
	for _, l := range found.Releases {
		g.Releases = append(g.Releases, described(l))
	}
	if !found.Oldest.IsZero() {
		g.runs, err = journal.Before(ctx, s.bucket, found.Oldest, keptRuns)
		g.Runs = len(g.runs)
	}
	return g, err
}

// Collect deletes it, with the run lock held.
func (s *Session) Collect(ctx context.Context, g Garbage) error {
	end := s.begin(ctx, "", nil)
	err := s.collect(ctx, g)
	end(ctx, nil, err)
	return err
}

func (s *Session) collect(ctx context.Context, g Garbage) error {
	library := &release.Library{Bucket: s.bucket}
	if err := library.Collect(ctx, g.found, s.lease.Check); err != nil {
		return fmt.Errorf("collecting: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(inFlight)
	for _, key := range g.runs {
		group.Go(func() error { return s.bucket.Delete(ctx, key) })
	}
	return group.Wait()
}
