// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"sync"
)

// later is something that a step needs and that may not exist yet.
type later[T any] func(ctx context.Context) (T, error)

// memo asks get until it has once succeeded and then remembers the answer, so
// that nothing is read twice in a run. Whoever asks while a question is under
// way gets its answer, an error too; after that the next one asks anew.
func memo[T any](get later[T]) later[T] {
	type question struct {
		done  chan struct{}
		value T
		err   error
	}
	var (
		mu   sync.Mutex
		last *question // under way or answered; nil after an error
	)
	return func(ctx context.Context) (T, error) {
		mu.Lock()
		q := last
		if q != nil {
			mu.Unlock()
			select {
			case <-q.done:
				return q.value, q.err
			case <-ctx.Done():
				var none T
				return none, context.Cause(ctx)
			}
		}
		q = &question{done: make(chan struct{})}
		last = q
		mu.Unlock()
		q.value, q.err = get(ctx)
		if q.err != nil {
			mu.Lock()
			last = nil
			mu.Unlock()
		}
		close(q.done)
		return q.value, q.err
	}
}
