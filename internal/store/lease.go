// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"clusterup.dev/clusterup/internal/hint"
)

// ErrLost says that the run lock was lost while it was held: another run took
// it over, somebody broke it, or the store could not be reached for too long.
var ErrLost = errors.New("the run lock was lost")

// Lease is the run lock, held. It is renewed in the background; a store that
// cannot be reached is tried again until the lease's time is over.
type Lease struct {
	store LockStore
	ttl   time.Duration
	since time.Time

	ctx    context.Context //nolint:containedctx // of the holder's work, given out by Context
	cancel context.CancelCauseFunc
	stop   func()        // ends the renewals
	done   chan struct{} // closed when they have ended

	mu      sync.Mutex
	record  record
	version Version
	renewed time.Time // when the last successful renewal was sent
	lost    error
}

// start begins the renewals. They outlive ctx: a run that was interrupted still
// holds the lock while it winds down.
func (l *Lease) start(ctx context.Context) {
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	beat, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop, l.done = stop, make(chan struct{})
	go l.keep(beat)
}

// Fence is this holder's number, greater than that of every holder before.
func (l *Lease) Fence() int64 { return l.record.Fence }

// Since is when the lock was taken, by this machine's clock.
func (l *Lease) Since() time.Time { return l.since }

// Context is a child of the one given to Acquire and ends when the lock is lost,
// with a cause that wraps ErrLost.
func (l *Lease) Context() context.Context { return l.ctx }

// Check asks the store whether the lock is still held. What cannot be taken
// back is done right after it.
func (l *Lease) Check(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost != nil {
		return l.lost
	}
	return l.inspect(ctx)
}

// inspect adopts the lock's version if it is still ours, and notes the loss if
// it is not.
func (l *Lease) inspect(ctx context.Context) error {
	s, version, err := look(ctx, l.store)
	switch {
	case err != nil:
		return fmt.Errorf("look at the run lock: %w", err)
	case version == "":
		return l.lose("it was deleted")
	case !s.Held:
		return l.lose("it was broken")
	case s.record.Holder.Nonce != l.record.Holder.Nonce:
		return l.lose("taken over by " + s.Owner)
	}
	l.version = version
	return nil
}

func (l *Lease) lose(how string) error {
	l.lost = hint.With(fmt.Errorf("%w: %s", ErrLost, how), "run it again when the other one is done")
	l.cancel(l.lost)
	return l.lost
}

// releaseTimeout bounds a release that happens while the program ends.
const releaseTimeout = 10 * time.Second

// Release ends the renewals and frees the lock, also when ctx has ended. What
// stays is the fencing number. Releasing again, or a lock that is another's by
// now, does nothing; a lock that was deleted while it was held stays so.
func (l *Lease) Release(ctx context.Context) error {
	l.stop()
	<-l.done
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	data, err := record{Fence: l.record.Fence}.encode()
	if err != nil {
		return err
	}
	for range tries {
		if err = l.inspect(ctx); err != nil {
			break
		}
		if _, err = l.store.PutIf(ctx, LockKey, data, l.version); err == nil {
			_ = l.lose("it was released")
			return nil
		}
	}
	if errors.Is(err, ErrLost) {
		return nil
	}
	return fmt.Errorf("release the run lock: %w", err)
}
