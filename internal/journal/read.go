// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"clusterup.dev/clusterup/internal/store"
)

var keyForm = regexp.MustCompile(`^runs/(\d{8}T\d{6}\.\d{3}Z-[a-z0-9]+)/(\d{6})\.json$`)

// records are the keys of one run.
type records struct {
	id   string
	keys []string
}

// list finds the runs, the newest first.
func list(ctx context.Context, b Bucket) ([]records, error) {
	entries, err := b.List(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("listing the runs: %w", err)
	}
	var runs []records
	for _, e := range entries { // sorted
		m := keyForm.FindStringSubmatch(e.Key)
		if m == nil {
			continue
		}
		if last := len(runs) - 1; last < 0 || runs[last].id != m[1] {
			runs = append(runs, records{id: m[1]})
		}
		last := &runs[len(runs)-1]
		last.keys = append(last.keys, e.Key)
	}
	slices.Reverse(runs)
	return runs, nil
}

// Requests in flight.
const inFlight = 16

// Read gives the newest runs, the newest first, and how many there are in all; a
// limit of zero reads every one. What cannot be read of a run is left out of it.
func Read(ctx context.Context, b Bucket, limit int) (runs []Run, all int, err error) {
	found, err := list(ctx, b)
	if err != nil {
		return nil, 0, err
	}
	all = len(found)
	if limit > 0 {
		found = found[:min(limit, all)]
	}
	runs = make([]Run, len(found))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(inFlight)
	for i, r := range found {
		group.Go(func() (err error) {
			runs[i], err = read(ctx, b, r)
			return err
		})
	}
	return runs, all, group.Wait()
}

func read(ctx context.Context, b Bucket, r records) (Run, error) {
	run := Run{ID: r.id}
	run.Start.At, _ = began(r.id)
	for _, key := range r.keys {
		data, _, err := b.Get(ctx, key)
		if errors.Is(err, store.ErrNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return run, fmt.Errorf("reading the run %s: %w", r.id, err)
		}
		seq, _ := strconv.Atoi(keyForm.FindStringSubmatch(key)[2])
		run.add(seq, data)
	}
	return run, nil
}

// add takes a record in. The journal decides nothing, so one that is damaged only
// says nothing.
func (r *Run) add(seq int, data []byte) {
	switch seq {
	case startSeq:
		start := r.Start
		if json.Unmarshal(data, &start) == nil {
			r.Start = start
		}
	case attemptSeq:
		var attempt Attempt
		if json.Unmarshal(data, &attempt) == nil {
			r.Attempt = &attempt
		}
	case endSeq:
		var end End
		if json.Unmarshal(data, &end) == nil {
			r.End = &end
		}
	}
}

// began is when the run of an ID began.
func began(id string) (time.Time, bool) {
	at, err := time.Parse(idTime, id[:min(len(id), len(idTime))])
	return at, err == nil
}

// Before gives the keys of the runs that began before a moment, without the
// newest keep ones: what may be deleted, the oldest last.
func Before(ctx context.Context, b Bucket, moment time.Time, keep int) ([]string, error) {
	found, err := list(ctx, b)
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, r := range found[min(keep, len(found)):] {
		if at, ok := began(r.id); ok && at.Before(moment) {
			keys = append(keys, r.keys...)
		}
	}
	return keys, nil
}
