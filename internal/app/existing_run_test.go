// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"clusterup.dev/clusterup/internal/converge"
)

// open reads the environment anew, as each run of the program does.
func (w *world) open(t *testing.T, change ...func(*Options)) *App {
	t.Helper()
	o := Options{
		Environment: filepath.Join(w.dir, "environments", w.name+".yaml"), Identity: w.identity, Operation: "test",
		Say: w.hear,
	}
	for _, f := range change {
		f(&o)
	}
	a, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (w *world) hear(line string) { w.heard = append(w.heard, line) }

func (w *world) hold(t *testing.T, change ...func(*Options)) *Session {
	t.Helper()
	s, err := w.open(t, change...).Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// look plans without the lock.
func (w *world) look(t *testing.T) ([]converge.Planned, error) {
	t.Helper()
	s, err := w.open(t).Look(t.Context())
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return w.plan(t.Context(), s, "")
}

func (w *world) plan(ctx context.Context, s *Session, only string) ([]converge.Planned, error) {
	planned, err := s.Plan(ctx, only)
	for _, p := range planned {
		text, _ := json.Marshal(p.Plan.Changes)
		w.hear(string(text))
	}
	w.hear(fmt.Sprintf("%v", err))
	return planned, err
}

// run plans and applies as `clusterup create` does, and tells each about the events.
func (w *world) run(t *testing.T, s *Session, each ...func(converge.Event)) error {
	t.Helper()
	defer s.Close()
	planned, err := w.plan(s.Context(), s, "")
	if len(planned) == 0 {
		return err
	}
	var mu sync.Mutex
	results, err := s.Apply(s.Context(), planned, func(e converge.Event) {
		mu.Lock()
		defer mu.Unlock()
		w.hear(e.Step + " " + string(e.Kind) + " " + e.Message)
		for _, f := range each {
			f(e)
		}
	})
	for _, r := range results {
		w.hear(fmt.Sprintf("%s %s %v", r.Step, r.Outcome, r.Err))
	}
	return err
}

// mustRun is a run that has to succeed and leaves nothing to do.
func (w *world) mustRun(t *testing.T, change ...func(*Options)) {
	t.Helper()
	if err := w.run(t, w.hold(t, change...)); err != nil {
		t.Fatal(err)
	}
	planned, err := w.look(t)
	if err != nil || lines(planned) != "" {
		t.Fatalf("after a run there is something to do: %v\n%s", err, lines(planned))
	}
}

// lines are the plans of all steps, a line for each change and field.
func lines(planned []converge.Planned) string {
	var b strings.Builder
	for _, p := range planned {
		if p.Err != nil || p.Plan.After != "" {
			fmt.Fprintf(&b, "%s: %v, after %q\n", p.Step.Name(), p.Err, p.Plan.After)
		}
		for _, c := range p.Plan.Changes {
			fmt.Fprintf(&b, "%s: %s %s\n", p.Step.Name(), c.Action, c.Subject)
			for _, f := range c.Fields {
				fmt.Fprintf(&b, "%s: %s is %q, wanted %q, by %s\n", c.Subject, f.Path, f.Old, f.New, f.Manager)
			}
		}
	}
	return b.String()
}
