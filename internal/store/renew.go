// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// keep renews four times in the lock's time to live, and more often after a
// failure.
func (l *Lease) keep(ctx context.Context) {
	defer close(l.done)
	pause := l.ttl / 4
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		err := l.renew(ctx)
		switch {
		case ctx.Err() != nil || errors.Is(err, ErrLost):
			return
		case err != nil:
			pause = l.ttl / 20
		default:
			pause = l.ttl / 4
		}
	}
}

// renew writes the next version. The lock is lost when it is another's, or when
// its time has passed without an answer: from then on another run may take it.
func (l *Lease) renew(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost != nil {
		return l.lost
	}
	sent, expires := time.Now(), l.renewed.Add(l.ttl)
	ctx, cancel := context.WithDeadline(ctx, earlier(sent.Add(l.ttl/4), expires))
	defer cancel()
	err := l.write(ctx)
	switch {
	case err == nil:
		l.renewed = sent
	case l.lost == nil && !time.Now().Before(expires):
		return l.lose(fmt.Sprintf("no renewal for %s: %v", l.ttl, err))
	}
	return err
}

// write puts the next version. An earlier write whose answer never came leaves
// the version unknown, so a refusal is looked into first.
func (l *Lease) write(ctx context.Context) error {
	l.record.Holder.Beat++
	data, err := l.record.encode()
	if err != nil {
		return err
	}
	version, err := l.store.PutIf(ctx, LockKey, data, l.version)
	if errors.Is(err, ErrChanged) {
		if err := l.inspect(ctx); err != nil {
			return err
		}
		version, err = l.store.PutIf(ctx, LockKey, data, l.version)
	}
	if err == nil {
		l.version = version
	}
	return err
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
