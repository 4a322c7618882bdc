// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"errors"
	"sync"
)

// inFlight is how many requests of one call are under way at once. The server's
// own limit for one user is higher; more only adds queueing.
const inFlight = 16

// each calls do for every item, inFlight at a time, and joins the errors in
// the order of the items. One failure does not stop the others; the end of ctx does.
func each[T any](ctx context.Context, items []T, do func(ctx context.Context, i int, item T) error) error {
	errs := make([]error, len(items))
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(inFlight, len(items)) {
		workers.Go(func() {
			for i := range next {
				errs[i] = do(ctx, i, items[i])
			}
		})
	}
	var stopped error
feed:
	for i := range items {
		select {
		case next <- i:
		case <-ctx.Done():
			stopped = context.Cause(ctx)
			break feed
		}
	}
	close(next)
	workers.Wait()
	return errors.Join(append(errs, stopped)...)
}
