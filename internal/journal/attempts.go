// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"
)

// First gives, by release, the run that attempted it first. It reads only the runs
// that attempted one.
func First(ctx context.Context, b Bucket) (map[string]Run, error) {
	found, err := list(ctx, b)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(r records) bool { return !slices.Contains(r.keys, key(r.id, attemptSeq)) })
	runs := make([]Run, len(found))
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(inFlight)
	for i, r := range found {
		group.Go(func() (err error) {
			runs[i], err = read(reading, b, records{id: r.id, keys: []string{key(r.id, startSeq), key(r.id, attemptSeq)}})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	first := make(map[string]Run)
	for _, r := range runs { // newest first: the last one stays
		if r.Attempt != nil {
			first[r.Attempt.Release] = r
		}
	}
	return first, nil
}
