// SPDX-License-Identifier: Apache-2.0

package converge

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Check answers whether a condition holds. While it does not, pending says what
// is not yet true ("2 of 3 voters"). An error that is not Permanent counts as
// pending too: the thing waited for may still be starting.
type Check func(ctx context.Context) (done bool, pending string, err error)

type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent marks an error that no waiting can mend; Until returns it at once.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanent{err}
}

// TimeoutError is a wait that reached its deadline.
type TimeoutError struct {
	What    string        // "a Consul leader"
	Pending string        // what was not yet true at the end
	After   time.Duration // how long it was waited for
	Cause   error         // the last error, if the last look failed
}

func (e *TimeoutError) Error() string {
	s := fmt.Sprintf("waiting for %s: gave up after %s", e.What, e.After.Round(100*time.Millisecond))
	if e.Pending != "" {
		s += ": " + e.Pending
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap gives the last error seen.
func (e *TimeoutError) Unwrap() error { return e.Cause }

// The pace of Until: it looks at once, then backs off from first to most.
const (
	firstPause = 50 * time.Millisecond
	mostPause  = 250 * time.Millisecond
)

// Until calls check until it holds, the timeout passes or ctx ends, and reports
// what is pending as progress. It looks at once and then ever less often, from
// every 50 ms to every 250 ms.
func Until(ctx context.Context, what string, timeout time.Duration, check Check) error {
	start := time.Now()
	wait, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	last := &TimeoutError{What: what}
	for pause := firstPause; ; pause = min(pause*3/2, mostPause) {
		done, pending, err := check(wait)
		var fatal permanent
		switch {
		case errors.As(err, &fatal):
			return fatal.error
		case err == nil && done:
			return nil
		case wait.Err() == nil:
			last.Pending, last.Cause = pending, err
			Progress(ctx, "waiting for %s%s", what, describe(pending, err))
		}
		select {
		case <-wait.Done():
			if ctx.Err() != nil {
				return fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx))
			}
			last.After = time.Since(start)
			return last
		case <-time.After(pause):
		}
	}
}

func describe(pending string, err error) string {
	switch {
	case err != nil:
		return ": " + err.Error()
	case pending != "":
		return ": " + pending
	}
	return ""
}
