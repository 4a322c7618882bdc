// SPDX-License-Identifier: Apache-2.0

package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"clusterup.dev/clusterup/internal/store"
)

const attemptsPrefix = "attempts/"

type storedAttempt struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Release    string `json:"release"`
}

// Inventory is what may be in the cluster by now: what the current release
// holds and what every attempt since then may have applied.
type Inventory struct {
	Current Pointer
	Refs    []Ref
	Attempt int64 // the last attempt that is in it; 0 when there was never one

	others  bool // attempts of other releases than the current one are in it
	digests map[string]bool
	origins map[Ref]Origin
	had     map[string]int // objects of the add-ons of the current release
	tried   map[string]int // the most that an attempt has of each add-on
}

// Origin is what the releases of an inventory say of an object.
type Origin struct {
	Current bool // in the current release; else only in attempts that were not promoted
	Tokens  bool // a Secret with values that come from tokens
	Protect bool // its add-on wants it to be pruned only when the run allows it
}

// Origin gives that of one of Refs.
func (i Inventory) Origin(ref Ref) Origin { return i.origins[ref.identity()] }

// Had is how many objects an add-on has in the current release; where that lacks it, in
// the attempt that has most of it, and then current is false.
func (i Inventory) Had(addon string) (n int, current bool) {
	n, current = i.had[addon]
	if !current {
		n = i.tried[addon]
	}
	return n, current
}

// Knows reports whether the release is current or was attempted since.
func (i Inventory) Knows(digest string) bool { return i.digests[digest] }

// Settled reports whether the release is current and nothing else was attempted
// since: promoting it would change nothing.
func (i Inventory) Settled(digest string) bool {
	return i.Current.version != "" && i.Current.Digest == digest && !i.others
}

// Attempt records that a staged release is about to be applied, so that what it
// brings is remembered also when the run dies. It has to come before the first
// apply. Nothing is written for what the inventory holds already.
func (l *Library) Attempt(ctx context.Context, digest string) error {
	data, err := encodeJSON(storedAttempt{APIVersion: apiVersion, Kind: "Attempt", Release: digest})
	if err != nil {
		return fmt.Errorf("recording the attempt of release %s: %w", digest, err)
	}
	const tries = 10
	for range tries {
		since, err := l.since(ctx)
		if err != nil {
			return err
		}
		for _, known := range since.digests {
			if known == digest {
				return nil
			}
		}
		key := fmt.Sprintf("%s%08d.json", attemptsPrefix, since.last+1)
		if _, err = l.Bucket.PutNew(ctx, key, data); err == nil {
			return nil
		}
		if !errors.Is(err, store.ErrExists) {
			return fmt.Errorf("recording the attempt of release %s: %w", digest, err)
		}
	}
	return fmt.Errorf("recording the attempt of release %s: others took the number %d times", digest, tries)
}

// Inventory reads what has to be deleted or taken over: its objects come once
// each, the current release's first.
func (l *Library) Inventory(ctx context.Context) (Inventory, error) {
	since, err := l.since(ctx)
	if err != nil {
		return Inventory{}, err
	}
	indexes := make([]*Index, len(since.digests))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(inFlight)
	for i, digest := range since.digests {
		group.Go(func() (err error) {
			indexes[i], err = l.index(ctx, digest)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return Inventory{}, fmt.Errorf("reading what has been applied: %w", err)
	}
	inventory := Inventory{Current: since.current, Attempt: since.last, digests: make(map[string]bool)}
	for i, digest := range since.digests {
		current := digest == since.current.Digest
		inventory.others = inventory.others || !current
		inventory.digests[digest] = true
		inventory.add(indexes[i], current)
	}
	return inventory, nil
}

func (i *Inventory) add(index *Index, current bool) {
	if i.origins == nil {
		i.origins, i.had, i.tried = make(map[Ref]Origin), make(map[string]int), make(map[string]int)
	}
	for _, entry := range index.Addons {
		if current {
			i.had[entry.Name] = len(entry.Inventory)
		}
		i.tried[entry.Name] = max(i.tried[entry.Name], len(entry.Inventory))
		for _, item := range entry.Inventory {
			ref := entry.ref(item)
			origin, known := i.origins[ref.identity()]
			if !known {
				i.Refs = append(i.Refs, ref)
			}
			origin.Current = origin.Current || current
			origin.Tokens = origin.Tokens || item.Kind == "Secret" && len(item.Tokens) > 0
			origin.Protect = origin.Protect || entry.Rules.Protects(item.Kind, item.Name)
			i.origins[ref.identity()] = origin
		}
	}
}

// history is the current release and the distinct ones attempted since.
type history struct {
	current Pointer
	digests []string // the current one first
	last    int64    // the number of the last attempt
}

func (l *Library) since(ctx context.Context) (history, error) {
	current, err := l.Current(ctx)
	if err != nil {
		return history{}, err
	}
	entries, err := l.Bucket.List(ctx, attemptsPrefix)
	if err != nil {
		return history{}, fmt.Errorf("listing attempts: %w", err)
	}
	h := history{current: current, last: current.Attempt}
	seen := map[string]bool{"": true}
	add := func(digest string) {
		if !seen[digest] {
			seen[digest] = true
			h.digests = append(h.digests, digest)
		}
	}
	add(current.Digest)
	for _, entry := range entries {
		seq, ok := attemptSeq(entry.Key)
		if !ok || seq <= current.Attempt {
			continue
		}
		digest, err := l.attempt(ctx, entry.Key)
		if err != nil {
			return history{}, err
		}
		add(digest)
		h.last = max(h.last, seq)
	}
	return h, nil
}

func (l *Library) attempt(ctx context.Context, key string) (string, error) {
	data, err := l.get(ctx, key)
	if err != nil {
		return "", fmt.Errorf("reading attempts: %w", err)
	}
	var a storedAttempt
	if err := json.Unmarshal(data, &a); err != nil || a.Kind != "Attempt" || !digestForm.MatchString(a.Release) {
		return "", fmt.Errorf("reading attempts: %s is damaged", key)
	}
	return a.Release, nil
}
