// SPDX-License-Identifier: Apache-2.0

package testservers

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Writer writes a new key at every tick, as an application would, and again
// elsewhere where no answer came, until each write is acknowledged.
type Writer struct {
	// Put writes a key. try counts from 0: another try is for another server.
	Put func(ctx context.Context, try int, key, value string) error
	// Get reads a key that was acknowledged.
	Get func(ctx context.Context, key string) (string, error)

	cancel context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex
	said    Written
	written []string
}

// Written is what became of the writes.
type Written struct {
	Acknowledged, Retried int
	Longest               time.Duration // from the first try of a write to its acknowledgement
	Given                 []string      // up writes, and the last error of each
	Lost                  []string      // acknowledged and not there
}

// String is one line.
func (w Written) String() string {
	return fmt.Sprintf("%d writes acknowledged, %d tries repeated, the slowest took %s, %d given up, %d lost",
		w.Acknowledged, w.Retried, w.Longest.Round(time.Millisecond), len(w.Given), len(w.Lost))
}

const (
	tick      = 20 * time.Millisecond
	tryFor    = 2 * time.Second
	writeWait = time.Minute // for a write to be acknowledged somewhere
)

// Start begins to write, until End.
func (w *Writer) Start(ctx context.Context, prefix string) {
	ctx, w.cancel = context.WithCancel(ctx)
	w.done = make(chan struct{})
	go func() {
		defer close(w.done)
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		for n := 0; ; n++ {
			w.one(context.WithoutCancel(ctx), fmt.Sprintf("%s/%06d", prefix, n))
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	}()
}

func (w *Writer) one(ctx context.Context, key string) {
	ctx, cancel := context.WithTimeout(ctx, writeWait)
	defer cancel()
	start := time.Now()
	for try := 0; ; try++ {
		once, stop := context.WithTimeout(ctx, tryFor)
		err := w.Put(once, try, key, key)
		stop()
		if err == nil || ctx.Err() != nil {
			w.note(key, try, time.Since(start), err)
			return
		}
		select {
		case <-time.After(tick):
		case <-ctx.Done():
		}
	}
}

func (w *Writer) note(key string, retries int, took time.Duration, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said.Retried += retries
	if err != nil {
		w.said.Given = append(w.said.Given, fmt.Sprintf("%s: %v", key, err))
		return
	}
	w.said.Acknowledged++
	w.said.Longest = max(w.said.Longest, took)
	w.written = append(w.written, key)
}

// Acknowledged is how many writes have been so far.
func (w *Writer) Acknowledged() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.said.Acknowledged
}

// End stops writing and reads all back.
func (w *Writer) End(ctx context.Context) (Written, error) {
	w.cancel()
	<-w.done
	for _, key := range w.written {
		value, err := w.Get(ctx, key)
		if err != nil {
			return w.said, fmt.Errorf("reading %s back: %w", key, err)
		}
		if value != key {
			w.said.Lost = append(w.said.Lost, key)
		}
	}
	return w.said, nil
}
