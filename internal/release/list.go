// SPDX-License-Identifier: Apache-2.0

package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"clusterup.dev/clusterup/internal/store"
)

// Listed is one release of the bucket.
type Listed struct {
	Digest    string
	Index     *Index    // nil when Damage says why
	Damage    error     // of the index
	Missing   []string  // objects that the index names and that are not there
	First     int64     // the number of its first attempt; 0 when there is none
	Attempted time.Time // the first time, by the store's clock; zero when First is
	Current   bool
	Previous  bool // was current before the current one
	Since     bool // was attempted after the current one, and not promoted
}

// shelf is what the bucket holds of releases, as one look saw it.
type shelf struct {
	current  Pointer
	releases []Listed               // the one that was attempted last is first
	objects  map[string]store.Entry // by key
	attempts []attempted            // in their order
}

type attempted struct {
	seq     int64
	key     string
	release string
	at      time.Time
}

// List gives all releases of the bucket. That of the latest first attempt comes
// first; those that nobody attempted come last.
func (l *Library) List(ctx context.Context) ([]Listed, error) {
	s, err := l.shelf(ctx)
	return s.releases, err
}

// Digests names the releases of the bucket, with one request.
func (l *Library) Digests(ctx context.Context) ([]string, error) {
	entries, err := l.Bucket.List(ctx, "releases/")
	if err != nil {
		return nil, fmt.Errorf("listing releases: %w", err)
	}
	digests := []string{}
	for _, e := range entries {
		digest := strings.TrimSuffix(strings.TrimPrefix(e.Key, "releases/"), ".json")
		if digestForm.MatchString(digest) && indexKey(digest) == e.Key {
			digests = append(digests, digest)
		}
	}
	return digests, nil
}

func (l *Library) shelf(ctx context.Context) (shelf, error) {
	s := shelf{objects: map[string]store.Entry{}}
	var digests []string
	var objects []store.Entry
	group, reading := errgroup.WithContext(ctx)
	group.Go(func() (err error) { s.current, err = l.Current(reading); return err })
	group.Go(func() (err error) { digests, err = l.Digests(reading); return err })
	group.Go(func() (err error) { objects, err = l.Bucket.List(reading, "objects/"); return err })
	group.Go(func() (err error) { s.attempts, err = l.attempts(reading); return err })
	if err := group.Wait(); err != nil {
		return s, fmt.Errorf("listing what the bucket holds: %w", err)
	}
	for _, e := range objects {
		s.objects[e.Key] = e
	}
	s.releases = make([]Listed, len(digests))
	group, reading = errgroup.WithContext(ctx)
	group.SetLimit(inFlight)
	for i, digest := range digests {
		group.Go(func() error {
			r := Listed{Digest: digest, Current: digest == s.current.Digest, Previous: digest == s.current.Previous}
			r.Index, r.Damage = l.index(reading, digest)
			s.releases[i] = s.complete(r)
			return reading.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return s, err
	}
	slices.SortStableFunc(s.releases, func(a, b Listed) int { return int(b.First - a.First) })
	return s, nil
}

// complete adds what the other objects of the bucket say of a release.
func (s *shelf) complete(r Listed) Listed {
	for _, a := range s.attempts {
		if a.release != r.Digest {
			continue
		}
		if r.First == 0 {
			r.First, r.Attempted = a.seq, a.at
		}
		r.Since = r.Since || a.seq > s.current.Attempt && !r.Current
	}
	for _, key := range r.keys() {
		if _, there := s.objects[key]; !there {
			r.Missing = append(r.Missing, key)
		}
	}
	return r
}

// keys are the objects that the release consists of, without its index.
func (r *Listed) keys() []string {
	var keys []string
	if r.Index == nil {
		return nil
	}
	for _, entry := range r.Index.Addons {
		if entry.Objects != "" {
			keys = append(keys, clearKey(entry.Objects))
		}
		if entry.Secrets != "" {
			keys = append(keys, sealedKey(entry.Secrets))
		}
	}
	return keys
}

// attempts reads all attempts that are there.
func (l *Library) attempts(ctx context.Context) ([]attempted, error) {
	entries, err := l.Bucket.List(ctx, attemptsPrefix)
	if err != nil {
		return nil, err
	}
	all := []attempted{}
	for _, e := range entries {
		if seq, ok := attemptSeq(e.Key); ok {
			all = append(all, attempted{seq: seq, key: e.Key, at: e.Modified})
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(inFlight)
	for i := range all {
		group.Go(func() (err error) {
			all[i].release, err = l.attempt(ctx, all[i].key)
			if errors.Is(err, store.ErrNotFound) {
				err = nil // collected meanwhile
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b attempted) int { return int(a.seq - b.seq) })
	return all, nil
}

func attemptSeq(key string) (int64, bool) {
	seq, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimPrefix(key, attemptsPrefix), ".json"), 10, 64)
	return seq, err == nil
}
