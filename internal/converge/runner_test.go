// SPDX-License-Identifier: Apache-2.0

package converge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeStep is a step over a counter of what is still to do.
type fakeStep struct {
	name      string
	todo      int
	notYet    func() bool
	applyErr  error
	destroyed *[]string
	mu        sync.Mutex
	applied   int
	planned   int
}

func (f *fakeStep) Name() string { return f.name }

func (f *fakeStep) Plan(context.Context) (Plan, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.planned++
	if f.notYet != nil && f.notYet() {
		return Plan{}, fmt.Errorf("cluster: %w", ErrNotYet)
	}
	changes := make([]Change, 0, f.todo)
	for i := range f.todo {
		changes = append(changes, Change{Subject: fmt.Sprint(f.name, i), Action: Create})
	}
	return Plan{Changes: changes}, nil
}

func (f *fakeStep) Apply(context.Context, Plan) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.applied++
	if f.applyErr == nil {
		f.todo = 0
	}
	return f.applyErr
}

func (f *fakeStep) Destroy(context.Context) error {
	*f.destroyed = append(*f.destroyed, f.name)
	return f.applyErr
}

func outcomes(results []Result) string {
	var b strings.Builder
	for _, r := range results {
		fmt.Fprintf(&b, "%s=%s ", r.Step, r.Outcome)
	}
	return strings.TrimSpace(b.String())
}

func TestRunnerPlansAgainWhatStandsOnAChange(t *testing.T) {
	made := false
	base := &fakeStep{name: "terraform", todo: 1}
	base.notYet = func() bool { made = made || base.applied > 0; return false }
	middle := &fakeStep{name: "ready"}
	top := &fakeStep{name: "addon", todo: 1, notYet: func() bool { return base.applied == 0 }}
	items := []Item{{Step: base}, {Step: middle, After: []string{"terraform"}}, {Step: top, After: []string{"ready"}}}
	planned, err := PlanAll(t.Context(), items)
	if err != nil {
		t.Fatal(err)
	}
	if got := planned[2].Plan.After; got != "ready" {
		t.Errorf("a step that can't know yet waits for %q, want ready", got)
	}
	results, err := Runner{}.Apply(t.Context(), planned)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := outcomes(results), "terraform=done ready=unchanged addon=done"; got != want {
		t.Errorf("outcomes %q, want %q", got, want)
	}
	if middle.planned != 2 {
		t.Errorf("the step between was planned %d times, want again after terraform changed", middle.planned)
	}
}

func TestRunnerLeavesWhatHasNothingToDoAlone(t *testing.T) {
	a, b := &fakeStep{name: "a"}, &fakeStep{name: "b"}
	planned, _ := PlanAll(t.Context(), []Item{{Step: a}, {Step: b, After: []string{"a"}}})
	results, err := Runner{}.Apply(t.Context(), planned)
	if err != nil || outcomes(results) != "a=unchanged b=unchanged" {
		t.Fatalf("%v, %v", outcomes(results), err)
	}
	if a.applied+b.applied != 0 || a.planned+b.planned != 2 {
		t.Error("a step without changes was applied or planned twice")
	}
}

// A step that was held back by one that was held back names the one that failed.
func TestRunnerNamesTheFailedStep(t *testing.T) {
	bad := &fakeStep{name: "bad", todo: 1, applyErr: errors.New("no")}
	one, two := &fakeStep{name: "one", todo: 1}, &fakeStep{name: "two", todo: 1}
	planned, _ := PlanAll(t.Context(), []Item{{Step: bad}, {Step: one, After: []string{"bad"}}, {Step: two, After: []string{"one"}}})
	results, _ := Runner{}.Apply(t.Context(), planned)
	if results[0].Needs != "" || results[1].Needs != "bad" || results[2].Needs != "bad" {
		t.Errorf("%+v", results)
	}
}

func TestRunnerKeepsBackOnlyWhatNeedsTheFailed(t *testing.T) {
	bad := &fakeStep{name: "bad", todo: 1, applyErr: errors.New("no")}
	needs, alone := &fakeStep{name: "needs", todo: 1}, &fakeStep{name: "alone", todo: 1}
	planned, _ := PlanAll(t.Context(), []Item{{Step: bad}, {Step: needs, After: []string{"bad"}}, {Step: alone}})
	results, err := Runner{}.Apply(t.Context(), planned)
	if got, want := outcomes(results), "bad=failed needs=blocked alone=done"; got != want {
		t.Errorf("outcomes %q, want %q", got, want)
	}
	if err == nil || err.Error() != "bad: no" {
		t.Errorf("error %v, want the step's name once", err)
	}
}

func TestRunnerDestroysBackwardsAndStopsAtTheFirstFailure(t *testing.T) {
	var order []string
	items := []Item{}
	for _, name := range []string{"a", "b", "c"} {
		s := &fakeStep{name: name, destroyed: &order}
		if name == "b" {
			s.applyErr = errors.New("in use")
		}
		items = append(items, Item{Step: s})
	}
	_, err := Runner{}.Destroy(t.Context(), items)
	if err == nil || strings.Join(order, " ") != "c b" {
		t.Errorf("destroyed %v, %v", order, err)
	}
}

func TestCheckOrderRefusesWhatCannotRun(t *testing.T) {
	a := &fakeStep{name: "a"}
	for _, items := range [][]Item{{{Step: a}, {Step: a}}, {{Step: a, After: []string{"b"}}}} {
		if err := CheckOrder(items); err == nil {
			t.Errorf("%v passed", items)
		}
	}
}

func TestUntilSaysWhatIsNotYetTrue(t *testing.T) {
	err := Until(t.Context(), "3 voters", 10*time.Millisecond, func(context.Context) (bool, string, error) {
		return false, "2 of 3", nil
	})
	var timeout *TimeoutError
	if !errors.As(err, &timeout) || timeout.Pending != "2 of 3" {
		t.Fatalf("error %v", err)
	}
}

func TestUntilEndsAtOnceOnAPermanentError(t *testing.T) {
	cause := errors.New("someone else's Consul")
	err := Until(t.Context(), "x", time.Hour, func(context.Context) (bool, string, error) { return false, "", Permanent(cause) })
	if !errors.Is(err, cause) {
		t.Fatal(err)
	}
}

func TestUntilEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupted"))
	err := Until(ctx, "x", time.Hour, func(context.Context) (bool, string, error) { return false, "", nil })
	if err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Fatal(err)
	}
}
