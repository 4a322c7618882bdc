// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"time"
)

// clockGrain is added to a lock's time to live where the store's clock measures
// it, which has whole seconds.
const clockGrain = 2 * time.Second

// sight is the lock as it was at one look.
type sight struct {
	LockInfo
	record record
	age    time.Duration // since it was last renewed, by the store's clock
}

// look reads the lock. The version is empty when there is none yet.
func look(ctx context.Context, b LockStore) (sight, Version, error) {
	data, version, err := b.Get(ctx, LockKey)
	switch {
	case errors.Is(err, ErrNotFound):
		return sight{}, "", nil
	case err != nil:
		return sight{}, "", err
	}
	r, err := decodeRecord(data)
	if err != nil {
		return sight{}, "", err
	}
	s := sight{LockInfo: LockInfo{Fence: r.Fence}, record: r}
	h := r.Holder
	if h == nil {
		return s, version, nil
	}
	s.Held, s.Owner, s.Operation, s.Since = true, h.Owner, h.Operation, h.Since
	s.Gone = h.Process.gone()
	age, aged, err := b.Age(ctx, LockKey)
	switch {
	case errors.Is(err, ErrNotFound):
		return sight{}, "", nil
	case err != nil:
		return sight{}, "", err
	case aged == version: // else it was renewed between the two looks
		s.age = age
	}
	s.Expires = time.Now().Add(h.ttl() - s.age)
	return s, version, nil
}

// watch remembers since when a lock has not been renewed, by this process's
// own monotonic clock.
type watch struct {
	version Version
	since   time.Time
}

// takeable reports whether the lock may be taken over.
//
// A holder's word on the time is never trusted: its clock may be wrong. What
// counts, in this order: its process is gone from this machine; it lives on this
// machine, and then only a whole time to live that this process has watched pass
// counts, since the local store's clock may have been set; it is elsewhere, and
// the store's own clock, or this process's, says that its time has passed.
func (w *watch) takeable(s sight, version Version) bool {
	if version != w.version {
		w.version, w.since = version, time.Now()
	}
	if !s.Held || s.Gone {
		return true
	}
	ttl := s.record.Holder.ttl()
	if time.Since(w.since) > ttl {
		return true
	}
	return !s.record.Holder.Process.neighbour() && s.age > ttl+clockGrain
}
