// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"clusterup.dev/clusterup/internal/converge"
)

type named string

func (n named) Name() string                                { return string(n) }
func (n named) Plan(context.Context) (converge.Plan, error) { return converge.Plan{}, nil }
func (n named) Apply(context.Context, converge.Plan) error  { return nil }
func (n named) Destroy(context.Context) error               { return nil }
func planned(name string, p converge.Plan, err error) converge.Planned {
	return converge.Planned{Item: converge.Item{Step: named(name)}, Plan: p, Err: err}
}

func TestPlanShowsChangesFieldsAndWhoSetThem(t *testing.T) {
	var out bytes.Buffer
	Plan(&out, []converge.Planned{
		planned("tokens", converge.Plan{}, nil),
		planned("demo/apply", converge.Plan{Changes: []converge.Change{
			{Subject: "ConfigMap demo/site", Action: converge.Create},
			{Subject: "Deployment demo/web", Action: converge.Update, Fields: []converge.Field{
				{Path: "spec.replicas", Old: "5", New: "3", Manager: "kubectl-scale"}, {Path: "spec.paused", New: "true"},
			}},
		}}, nil),
		planned("vault/init", converge.Plan{After: "vault/apply"}, nil),
		planned("broken", converge.Plan{}, errors.New("no")),
	})
	want := `demo/apply
  + ConfigMap demo/site
  ~ Deployment demo/web
      spec.replicas: 5 → 3  (set by kubectl-scale)
      spec.paused: (none) → true
vault/init  (known after vault/apply)
plan: 1 to create, 1 to update, 1 step known only on the way
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestSummaryOfNothing(t *testing.T) {
	if got := Summary([]converge.Planned{planned("a", converge.Plan{}, nil)}); got != "nothing to do" {
		t.Errorf("%q", got)
	}
}

// script plays events one second apart.
func script(terminal Terminal, events ...converge.Event) string {
	var out bytes.Buffer
	p := NewProgress(&out, terminal, []string{"terraform", "vault/init"})
	now := time.Unix(0, 0)
	p.clock = func() time.Time { return now }
	for _, e := range events {
		now = now.Add(time.Second)
		p.Event(e)
	}
	p.End()
	return out.String()
}

func TestPlainProgressIsOneLineAFinishedStep(t *testing.T) {
	got := script(Terminal{},
		converge.Event{Step: "terraform", Kind: converge.Started},
		converge.Event{Step: "terraform", Kind: converge.Working, Message: "soon said"},
		converge.Event{Step: "terraform", Kind: converge.Done, Took: 2500 * time.Millisecond},
		converge.Event{Step: "quiet", Kind: converge.Unchanged},
		converge.Event{Step: "vault/init", Kind: converge.Failed, Took: time.Second},
		converge.Event{Step: "vault/unseal", Kind: converge.Blocked},
		converge.Event{Step: "vault/configure", Kind: converge.Blocked},
	)
	want := "  ✓ terraform     2.5s\n  ✗ vault/init    1.0s\n  - not done: vault/unseal, vault/configure\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPlainProgressSpeaksUpWhenAStepTakesLong(t *testing.T) {
	events := []converge.Event{{Step: "terraform", Kind: converge.Started}}
	for range 32 {
		events = append(events, converge.Event{Step: "terraform", Kind: converge.Working, Message: "2 of 3 nodes"})
	}
	if got := strings.Count(script(Terminal{}, events...), "2 of 3 nodes"); got != 1 {
		t.Errorf("said %d times in half a minute, want once", got)
	}
}

func TestLiveProgressKeepsToOneLine(t *testing.T) {
	got := script(Terminal{Live: true, Columns: 40},
		converge.Event{Step: "terraform", Kind: converge.Started},
		converge.Event{Step: "terraform", Kind: converge.Working, Message: strings.Repeat("long ", 40)},
	)
	if strings.Contains(got, "\n") {
		t.Errorf("the live line breaks: %q", got)
	}
	for line := range strings.SplitSeq(got, "\r\x1b[K") {
		if n := len([]rune(line)); n >= 40 {
			t.Errorf("%d columns in a terminal of 40: %q", n, line)
		}
	}
}

// The end of a run names what failed and what each failure held back, and says
// nothing when nothing failed.
func TestUndoneNamesTheCause(t *testing.T) {
	var out bytes.Buffer
	Undone(&out, []converge.Result{{Step: "a/apply", Outcome: converge.Done}})
	if out.Len() > 0 {
		t.Errorf("nothing failed, and it says %q", out.String())
	}
	Undone(&out, []converge.Result{
		{Step: "a/apply", Outcome: converge.Failed},
		{Step: "a/ready", Outcome: converge.Blocked, Needs: "a/apply"},
		{Step: "b/apply", Outcome: converge.Failed},
		{Step: "c/apply", Outcome: converge.Blocked, Needs: "b/apply"},
		{Step: "promote", Outcome: converge.Blocked, Needs: "a/apply"},
		{Step: "late", Outcome: converge.Blocked},
	})
	want := `
  failed                a/apply, b/apply
  held back by a/apply  a/ready, promote
  held back by b/apply  c/apply
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}
