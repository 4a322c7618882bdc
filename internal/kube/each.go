// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"
	"strings"
	"sync"
)

// inFlight is how many requests of one call are under way at once. The server's
// own limit for one user is higher; more only adds queueing.
const inFlight = 16

// each calls do for every item, inFlight at a time, and gives the errors in
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
	return together(append(errs, stopped)...)
}

// saidErrors is how many errors of many are told in full.
const saidErrors = 3

// several is more than one error in one line.
type several []error

func (s several) Unwrap() []error { return s }

func (s several) Error() string {
	said := make([]string, 0, saidErrors)
	for _, err := range s[:min(len(s), saidErrors)] {
		said = append(said, err.Error())
	}
	text := strings.Join(said, "; ")
	if more := len(s) - len(said); more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}

// together makes one error of those of errs that are any.
func together(errs ...error) error {
	var all several
	for _, err := range errs {
		if err != nil {
			all = append(all, err)
		}
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return all
}
