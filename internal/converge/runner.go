// SPDX-License-Identifier: Apache-2.0

package converge

import (
	"context"
	"errors"
	"sync"
	"time"

	"clusterup.dev/clusterup/internal/hint"
)

// Runner carries plans out and tells its observer about it.
type Runner struct {
	// Observe is called from many goroutines at once. Nil means nobody looks.
	Observe func(Event)
}

// Result is what became of one step.
type Result struct {
	Step    string        `json:"step"`
	Outcome Outcome       `json:"outcome"`
	Changes int           `json:"changes"`
	Took    time.Duration `json:"tookNanos"`
	Needs   string        `json:"needs,omitempty"` // of a blocked one: the failed step that held it back
	Err     error         `json:"-"`

	stirred bool // it, or something that it stands on, changed in this run
}

// Apply carries the plans out: each step as soon as those it needs are done,
// independent ones side by side. A plan whose needs have changed something, or
// that could not be known before, is made again when its turn comes; every
// other one is carried out as it was shown. A step that fails keeps back only
// those that need it. The results are in the order of planned.
func (r Runner) Apply(ctx context.Context, planned []Planned) ([]Result, error) {
	run := &run{Runner: r, done: make(map[string]chan struct{}, len(planned)), results: make(map[string]*Result, len(planned))}
	for _, p := range planned {
		run.done[p.Step.Name()] = make(chan struct{})
	}
	var wait sync.WaitGroup
	for _, p := range planned {
		wait.Go(func() {
			defer close(run.done[p.Step.Name()])
			result := run.step(ctx, p)
			run.mu.Lock()
			run.results[p.Step.Name()] = result
			run.mu.Unlock()
		})
	}
	wait.Wait()
	results, errs := make([]Result, 0, len(planned)), make([]error, 0, len(planned))
	for _, p := range planned {
		result := run.results[p.Step.Name()]
		results, errs = append(results, *result), append(errs, result.Err)
	}
	return results, errors.Join(errs...)
}

type run struct {
	Runner
	mu      sync.Mutex
	done    map[string]chan struct{}
	results map[string]*Result
}

func (r *run) step(ctx context.Context, p Planned) *Result {
	name := p.Step.Name()
	stirred, blocker := r.await(p.After)
	switch {
	case blocker != "":
		r.emit(Event{Step: name, Kind: Blocked, Message: "needs " + blocker})
		return &Result{Step: name, Outcome: Blocked, Needs: r.cause(blocker)}
	case ctx.Err() != nil:
		r.emit(Event{Step: name, Kind: Blocked, Message: "not started"})
		return &Result{Step: name, Outcome: Blocked, Err: stepError(p.Step, context.Cause(ctx))}
	}
	start := time.Now()
	ctx = WithProgress(ctx, func(m string) { r.emit(Event{Step: name, Kind: Working, Message: m}) })
	result := r.carryOut(ctx, p, stirred)
	result.Took, result.stirred = time.Since(start), stirred || result.Outcome == Done
	message := ""
	if result.Err != nil {
		message = result.Err.Error()
	}
	r.emit(Event{Step: name, Kind: result.Outcome, Message: message, Took: result.Took})
	return result
}

// await waits for the needs; it says whether something below was changed in this
// run, and which need, if any, did not get done.
func (r *run) await(needs []string) (stirred bool, blocker string) {
	for _, need := range needs {
		<-r.done[need]
		r.mu.Lock()
		result := r.results[need]
		r.mu.Unlock()
		if result.Outcome == Failed || result.Outcome == Blocked {
			blocker = need
		}
		stirred = stirred || result.stirred
	}
	return stirred, blocker
}

// cause is the failed step that a blocked one leads to; itself when it leads to none.
func (r *run) cause(blocker string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if needs := r.results[blocker].Needs; needs != "" {
		return needs
	}
	return blocker
}

func (r *run) carryOut(ctx context.Context, p Planned, stirred bool) *Result {
	name := p.Step.Name()
	if stirred || p.Plan.After != "" {
		r.emit(Event{Step: name, Kind: Started})
		p = planInTurn(ctx, p.Item)
	}
	switch {
	case p.Err != nil:
		return &Result{Step: name, Outcome: Failed, Err: p.Err}
	case p.Plan.Empty():
		return &Result{Step: name, Outcome: Unchanged}
	}
	r.emit(Event{Step: name, Kind: Started})
	err := p.Step.Apply(ctx, p.Plan)
	if errors.Is(err, ErrStale) {
		err = hint.With(err, "something else changed it at the same time: look with `clusterup diff`, then run again")
	}
	if err != nil {
		return &Result{Step: name, Outcome: Failed, Changes: len(p.Plan.Changes), Err: stepError(p.Step, err)}
	}
	return &Result{Step: name, Outcome: Done, Changes: len(p.Plan.Changes)}
}

// settleTime is how long a step may still not know its plan although all that it
// stands on is done: a controller may not have made yet what it looks at.
const settleTime = 2 * time.Minute

// planInTurn plans a step whose needs are done.
func planInTurn(ctx context.Context, item Item) Planned {
	p := Planned{Item: item}
	err := Until(ctx, "what it works on", settleTime, func(ctx context.Context) (bool, string, error) {
		var err error
		p.Plan, err = item.Step.Plan(ctx)
		switch {
		case errors.Is(err, ErrNotYet):
			return false, "", err
		case err != nil:
			return false, "", Permanent(err)
		case p.Plan.After != "":
			return false, "not known before " + p.Plan.After, nil
		}
		return true, "", nil
	})
	p.Err = stepError(item.Step, err)
	return p
}

// Destroy removes what the steps made, last first. It stops at the first that
// fails: what stands before it may still be needed to try again.
func (r Runner) Destroy(ctx context.Context, items []Item) ([]Result, error) {
	results := make([]Result, 0, len(items))
	for i := len(items) - 1; i >= 0; i-- {
		step, start := items[i].Step, time.Now()
		r.emit(Event{Step: step.Name(), Kind: Started})
		stepCtx := WithProgress(ctx, func(m string) { r.emit(Event{Step: step.Name(), Kind: Working, Message: m}) })
		result := Result{Step: step.Name(), Outcome: Done, Err: stepError(step, step.Destroy(stepCtx))}
		result.Took = time.Since(start)
		if result.Err != nil {
			result.Outcome = Failed
			r.emit(Event{Step: step.Name(), Kind: Failed, Message: result.Err.Error(), Took: result.Took})
			return append(results, result), result.Err
		}
		r.emit(Event{Step: step.Name(), Kind: Done, Took: result.Took})
		results = append(results, result)
	}
	return results, nil
}
