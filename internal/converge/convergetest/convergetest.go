// SPDX-License-Identifier: Apache-2.0

// Package convergetest is the conformance suite that every Step has to pass.
package convergetest

import (
	"context"
	"testing"

	"clusterup.dev/clusterup/internal/converge"
)

// Run proves the contract of converge.Step on a fresh world: make builds the
// step anew over that world each time, as a new run of the program would. It
// plans, applies, expects an empty plan, applies that and expects no change,
// and destroys twice.
func Run(t *testing.T, make func() converge.Step) {
	t.Helper()
	ctx := t.Context()
	first := plan(ctx, t, make())
	if first.Empty() {
		t.Fatal("the first plan of a fresh world is empty")
	}
	apply(ctx, t, make(), first)
	again := plan(ctx, t, make())
	if !again.Empty() {
		t.Fatalf("the plan after apply is not empty: %+v", again.Changes)
	}
	apply(ctx, t, make(), again)
	if p := plan(ctx, t, make()); !p.Empty() {
		t.Fatalf("applying an empty plan left something to do: %+v", p.Changes)
	}
	for range 2 {
		if err := make().Destroy(ctx); err != nil {
			t.Fatalf("destroy: %v", err)
		}
	}
}

// Interrupted proves that a run cut off loses nothing: apply with a context that
// ends before the nth call of stop's hook, then plan and apply again, and the
// plan is empty. cut is called with the context's cancel function and arranges
// for it to be called in the middle of the step's work.
func Interrupted(t *testing.T, make func() converge.Step, cut func(cancel context.CancelFunc)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	p := plan(ctx, t, make())
	cut(cancel)
	_ = make().Apply(ctx, p) // how it ends is free; what it leaves behind is not
	cancel()
	step := make()
	apply(t.Context(), t, step, plan(t.Context(), t, step))
	if p := plan(t.Context(), t, make()); !p.Empty() {
		t.Fatalf("after an interrupted and a whole run there is something left: %+v", p.Changes)
	}
}

func plan(ctx context.Context, t *testing.T, s converge.Step) converge.Plan {
	t.Helper()
	p, err := s.Plan(ctx)
	if err != nil {
		t.Fatalf("plan of %s: %v", s.Name(), err)
	}
	return p
}

func apply(ctx context.Context, t *testing.T, s converge.Step, p converge.Plan) {
	t.Helper()
	if err := s.Apply(ctx, p); err != nil {
		t.Fatalf("apply of %s: %v", s.Name(), err)
	}
}
