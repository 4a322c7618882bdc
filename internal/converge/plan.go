// SPDX-License-Identifier: Apache-2.0

package converge

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Planned is an item with its plan, or with the error that planning it met.
type Planned struct {
	Item
	Plan Plan
	Err  error
}

// Pending reports whether there is something to do or something not yet known.
func (p Planned) Pending() bool { return p.Err == nil && !p.Plan.Empty() }

// PlanAll plans every item side by side. Planning only reads, so the order does
// not matter; what needs the work of an earlier step answers with ErrNotYet,
// which becomes a plan that waits for that step. The error joins those of all
// steps; the plans that could be made are returned with it.
func PlanAll(ctx context.Context, items []Item) ([]Planned, error) {
	if err := CheckOrder(items); err != nil {
		return nil, err
	}
	planned := make([]Planned, len(items))
	var wait sync.WaitGroup
	for i, item := range items {
		wait.Go(func() { planned[i] = planOne(ctx, item) })
	}
	wait.Wait()
	errs := make([]error, 0, len(items))
	for _, p := range planned {
		errs = append(errs, p.Err)
	}
	return planned, errors.Join(errs...)
}

func planOne(ctx context.Context, item Item) Planned {
	plan, err := item.Step.Plan(ctx)
	if errors.Is(err, ErrNotYet) {
		plan.After, err = firstNeed(item, plan), nil
	}
	return Planned{Item: item, Plan: plan, Err: stepError(item.Step, err)}
}

func firstNeed(item Item, plan Plan) string {
	switch {
	case plan.After != "":
		return plan.After
	case len(item.After) > 0:
		return item.After[0]
	}
	return "an earlier step"
}

// StepError is an error with the name of the step that met it, added once, by
// the runner.
type StepError struct {
	Step string
	Err  error
}

func (e *StepError) Error() string { return e.Step + ": " + e.Err.Error() }

// Unwrap gives the step's own error.
func (e *StepError) Unwrap() error { return e.Err }

func stepError(s Step, err error) error {
	if err == nil {
		return nil
	}
	return &StepError{Step: s.Name(), Err: err}
}

// CheckOrder refuses a list in which a name is double, or in which an item needs one
// that does not stand before it. So a list that passes has no cycle.
func CheckOrder(items []Item) error {
	seen := make(map[string]bool, len(items))
	for _, item := range items {
		name := item.Step.Name()
		if seen[name] {
			return fmt.Errorf("step %s is listed twice", name)
		}
		for _, need := range item.After {
			if !seen[need] {
				return fmt.Errorf("step %s needs %s, which does not stand before it", name, need)
			}
		}
		seen[name] = true
	}
	return nil
}
