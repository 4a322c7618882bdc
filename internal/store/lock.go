// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/user"
	"time"

	"clusterup.dev/clusterup/internal/converge"
)

const defaultTTL = time.Minute

// LockOptions says who takes the lock and how.
type LockOptions struct {
	Owner     string        // default "user@host pid N"
	Operation string        // "create": what it is taken for
	TTL       time.Duration // without a renewal it may be taken over; default a minute
	Wait      time.Duration // for another holder; zero does not wait
	// Waiting is told who is waited for, once, and again when it is somebody else.
	Waiting func(*LockedError)
	// Floor is a number that the fence has to be above when lock.json is not there:
	// it was deleted, perhaps, and the fence must never go back. Nil means zero.
	Floor func(ctx context.Context) (int64, error)
}

// Acquire takes the run lock of a store and keeps it until Release. When another
// run holds it, the error is a *LockedError. The lock of a run that was killed
// on this machine is taken over at once, that of one elsewhere when it expires.
func Acquire(ctx context.Context, b LockStore, o LockOptions) (*Lease, error) {
	if o.Owner == "" {
		o.Owner = owner()
	}
	if o.TTL <= 0 {
		o.TTL = defaultTTL
	}
	w := new(watch)
	lease, err := take(ctx, b, o, w)
	var locked *LockedError
	if o.Wait > 0 && errors.As(err, &locked) {
		tell := func(was, now *LockedError) {
			if o.Waiting != nil && (was == nil || !was.same(now)) {
				o.Waiting(now)
			}
		}
		tell(nil, locked)
		until := converge.Until(ctx, "the run lock", o.Wait, func(ctx context.Context) (bool, string, error) {
			lease, err = take(ctx, b, o, w)
			var now *LockedError
			if errors.As(err, &now) {
				tell(locked, now)
				locked = now
				return false, now.Error(), nil
			}
			return err == nil, "", err
		})
		var timeout *converge.TimeoutError
		switch {
		case until == nil:
			err = nil
		case errors.As(until, &timeout) && timeout.Cause == nil:
			err = locked
		default:
			err = until
		}
	}
	if err != nil {
		if errors.As(err, &locked) {
			return nil, err
		}
		return nil, fmt.Errorf("take the run lock: %w", err)
	}
	lease.start(ctx)
	return lease, nil
}

// tries is how often a lock that looked free may be lost to another run before
// the winner is named.
const tries = 3

// take looks once and takes the lock if it may.
func take(ctx context.Context, b LockStore, o LockOptions, w *watch) (*Lease, error) {
	me, err := self()
	if err != nil {
		return nil, err
	}
	var s sight
	for range tries {
		var version Version
		s, version, err = look(ctx, b)
		if err != nil {
			return nil, err
		}
		if !w.takeable(s, version) {
			break
		}
		if version == "" && o.Floor != nil {
			if s.Fence, err = o.Floor(ctx); err != nil {
				return nil, err
			}
		}
		r := record{Fence: s.Fence + 1, Holder: &holder{
			Owner: o.Owner, Operation: o.Operation, Since: time.Now().UTC().Truncate(time.Second),
			TTL: o.TTL.String(), Process: me, Nonce: rand.Text(),
		}}
		data, err := r.encode()
		if err != nil {
			return nil, err
		}
		now := time.Now()
		l := &Lease{store: b, record: r, ttl: o.TTL, since: now, renewed: now}
		if version == "" {
			l.version, err = b.PutNew(ctx, LockKey, data)
		} else {
			l.version, err = b.PutIf(ctx, LockKey, data, version)
		}
		switch {
		case err == nil:
			return l, nil
		case errors.Is(err, ErrExists), errors.Is(err, ErrChanged): // another run was faster
		default:
			return nil, err
		}
	}
	return nil, &LockedError{Owner: s.Owner, Operation: s.Operation, Since: s.Since, Expires: s.Expires}
}

// Break frees the lock whoever holds it, and says who did. The holder notices
// when it next renews or checks, and its fencing number is not used again.
func Break(ctx context.Context, b LockStore) (LockInfo, error) {
	s, version, err := look(ctx, b)
	if err != nil || !s.Held {
		return s.LockInfo, err
	}
	data, err := record{Fence: s.Fence}.encode()
	if err != nil {
		return s.LockInfo, err
	}
	if _, err := b.PutIf(ctx, LockKey, data, version); err != nil {
		return s.LockInfo, fmt.Errorf("break the run lock: %w", err)
	}
	return s.LockInfo, nil
}

func owner() string {
	name, host := "unknown", "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return fmt.Sprintf("%s@%s pid %d", name, host, os.Getpid())
}
