// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"clusterup.dev/clusterup/internal/app"
	"clusterup.dev/clusterup/internal/cli/output"
	"clusterup.dev/clusterup/internal/converge"
)

// stepPlan is a step of `diff -o json`.
type stepPlan struct {
	Step    string            `json:"step"`
	After   string            `json:"knownAfter,omitempty"`
	Changes []converge.Change `json:"changes"`
	Notices []string          `json:"notices,omitempty"`
	Error   string            `json:"error,omitempty"`
}

// finished is the answer of `create -o json` and `reconcile -o json`.
type finished struct {
	Environment string         `json:"environment"`
	Changed     bool           `json:"changed"`
	Seconds     float64        `json:"seconds"`
	Steps       []finishedStep `json:"steps,omitempty"`
	Status      *app.Status    `json:"status,omitempty"`
	Next        string         `json:"next,omitempty"` // after a rollback: what the environment's file still asks for
}

type finishedStep struct {
	Step    string           `json:"step"`
	Outcome converge.Outcome `json:"outcome"`
	Changes int              `json:"changes"`
	Seconds float64          `json:"seconds"`
	Needs   string           `json:"needs,omitempty"` // of a blocked one: the failed step that held it back
	Error   string           `json:"error,omitempty"`
}

func (f *flags) writePlan(s Streams, planned []converge.Planned) error {
	if f.format == "text" {
		output.Plan(s.Out, planned)
		return nil
	}
	all := []stepPlan{}
	for _, p := range planned {
		if p.Err == nil && p.Plan.Empty() && len(p.Plan.Notices) == 0 {
			continue
		}
		one := stepPlan{Step: p.Step.Name(), After: p.Plan.After, Changes: append([]converge.Change{}, p.Plan.Changes...), Notices: p.Plan.Notices}
		if p.Err != nil {
			one.Error = p.Err.Error()
		}
		all = append(all, one)
	}
	return writeJSON(s.Out, map[string]any{"steps": all})
}

// finish ends a run that changed something: the state of the environment, the
// seconds of each step, and what failed and held back others.
func (f *flags) finish(ctx context.Context, s Streams, session *app.Session, results []converge.Result, took time.Duration) error {
	status := session.Status(ctx)
	if f.format == "json" {
		end := finished{Environment: session.Name(), Changed: true, Seconds: took.Seconds(), Status: &status, Next: session.AsksFor(ctx)}
		for _, r := range results {
			one := finishedStep{Step: r.Step, Outcome: r.Outcome, Changes: r.Changes, Seconds: r.Took.Seconds(), Needs: r.Needs}
			if r.Err != nil {
				one.Error = r.Err.Error()
			}
			end.Steps = append(end.Steps, one)
		}
		return writeJSON(s.Out, end)
	}
	fmt.Fprintln(s.Out)
	output.Rows(s.Out, status.Rows())
	fmt.Fprintln(s.Out)
	output.Times(s.Out, results, output.Seconds(took))
	output.Undone(s.Out, results)
	sayNext(s, session.AsksFor(ctx))
	return nil
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	return nil
}
