// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/converge"
)

// WaitOptions bound a wait. The zero value waits five minutes for everything.
type WaitOptions struct {
	Timeout time.Duration
	// Skip says which objects do not count. Nil means none.
	Skip func(Ref) bool
	// Rule says what is special about an object. Nil means nothing.
	Rule func(Ref) ReadyRule

	more []*unstructured.Unstructured // not waited for, but what webhooks may be called for
}

func (o WaitOptions) skips(r Ref) bool { return o.Skip != nil && o.Skip(r) }

// The pace of a wait: it looks when a watch says that something has changed, but not
// more often than pace, and at least every sweep; causes are looked for less often.
const (
	pace           = 100 * time.Millisecond
	sweep          = time.Second
	causePace      = time.Second
	defaultTimeout = 5 * time.Minute
)

// Wait waits until objs are ready, and until the API server can call the webhooks among
// them. It ends early, with a *NotReadyError, on a cause
// that waiting is not likely to mend.
func (c *Cluster) Wait(ctx context.Context, objs []*unstructured.Unstructured, o WaitOptions) error {
	objects, err := c.waitable(ctx, objs, o)
	if err != nil {
		return err
	}
	calls, err := c.calls(objs, o)
	if err != nil || len(objects) == 0 && len(calls) == 0 {
		return err
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	w := &waiter{
		cluster: c, objects: objects, calls: calls, seen: make(memory), settling: make(settling),
		deadlines: deadlines{started: time.Now(), within: o.Timeout},
	}
	wait, cancel := context.WithTimeout(ctx, w.last(objects))
	defer cancel()
	err = w.run(wait)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("waiting for %s: %w", subject(objects), context.Cause(ctx))
	case wait.Err() != nil && len(w.pending) > 0:
		return &NotReadyError{Pending: w.pending, After: time.Since(w.started), TimedOut: true}
	}
	return err
}

func subject(objects []*awaited) string {
	switch len(objects) {
	case 0:
		return "webhooks"
	case 1:
		return objects[0].String()
	}
	return fmt.Sprintf("%d objects", len(objects))
}

type waiter struct {
	cluster *Cluster
	objects []*awaited
	calls   []*call
	seen    memory
	asked   time.Time // when causes were last looked for
	pending []Pending

	nextCall  time.Time // when calls are tried again
	gatePause time.Duration

	settling settling
	deadlines
}

func (w *waiter) run(ctx context.Context) error {
	var changed <-chan struct{}
	for {
		done, err := w.step(ctx)
		if done || err != nil {
			return err
		}
		if changed == nil {
			changed = w.cluster.watch(ctx, plainly(w.objects))
		}
		if err := pause(ctx, changed, w.next(w.objects, time.Now())); err != nil {
			return err
		}
	}
}

// pause returns when something has changed, but not before pace and not after longest.
func pause(ctx context.Context, changed <-chan struct{}, longest time.Duration) error {
	least, most := time.NewTimer(pace), time.NewTimer(longest)
	defer least.Stop()
	defer most.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-least.C:
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-changed:
	case <-most.C:
	}
	return nil
}

// step looks once. An API server that does not answer for a while is waited for too.
func (w *waiter) step(ctx context.Context) (done bool, err error) {
	waiting, there, err := w.cluster.look(ctx, w.objects)
	if err != nil {
		return false, w.passing(ctx, err)
	}
	settled := w.settling.done(there, time.Now())
	if len(waiting) == 0 {
		if !settled {
			return false, nil
		}
		return w.gated(ctx)
	}
	late := w.overdue(waiting, time.Now())
	if time.Since(w.asked) < causePace && !anyFailed(waiting) && len(late) == 0 {
		return false, nil
	}
	w.asked = time.Now()
	if len(late) > 0 {
		return false, w.giveUp(ctx, late)
	}
	if err := w.cluster.findCauses(ctx, waiting); err != nil {
		return false, w.passing(ctx, err)
	}
	w.pending = w.cluster.report(ctx, waiting, func(u *unready, c cause) bool {
		return w.seen.ends(u.String(), c, w.asked)
	})
	converge.Progress(ctx, "%s", summary(w.pending))
	for _, p := range w.pending {
		if p.Fatal {
			return false, &NotReadyError{Pending: w.pending, After: time.Since(w.started)}
		}
	}
	return false, nil
}

// giveUp names those whose deadline has passed, and why they are not ready.
func (w *waiter) giveUp(ctx context.Context, late []*unready) error {
	if err := w.cluster.findCauses(ctx, late); err != nil && ctx.Err() != nil {
		return err
	}
	w.pending = w.cluster.report(ctx, late, func(*unready, cause) bool { return false })
	for i, u := range late {
		if u.rule.Timeout > 0 {
			w.pending[i].Reason += fmt.Sprintf(" (it has a deadline of its own, %s)", u.rule.Timeout)
		}
	}
	return &NotReadyError{Pending: w.pending, After: time.Since(w.started), TimedOut: true}
}

func (w *waiter) passing(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.Join(ctx.Err(), err)
	}
	if transient(Ref{}, err) {
		converge.Progress(ctx, "waiting for the API server: %v", err)
		return nil
	}
	return err
}

func anyFailed(waiting []*unready) bool {
	for _, u := range waiting {
		if u.verdict.failed {
			return true
		}
	}
	return false
}

func summary(pending []Pending) string {
	s := "waiting for " + pending[0].Subject + ": " + pending[0].Reason
	if more := len(pending) - 1; more > 0 {
		s += fmt.Sprintf(" (and %d more)", more)
	}
	return s
}
