// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/journal"
	"clusterup.dev/clusterup/internal/store"
)

// begin writes to the journal that a run starts to change something, for a release if
// there is one, and gives what writes its end. A journal that cannot be written fails no
// run.
func (s *Session) begin(ctx context.Context, digest string, planned []converge.Planned) (end func(ctx context.Context, results []converge.Result, err error)) {
	if s.whole == nil {
		return func(context.Context, []converge.Result, error) {}
	}
	begun := time.Now()
	start := journal.Start{Operation: s.options.Operation, Version: s.options.Version, Release: digest, Plan: counts(planned)}
	if s.lease != nil {
		start.Fence = s.lease.Fence()
	}
	writer, err := journal.Begin(ctx, s.bucket, start)
	s.journal = writer
	s.unwritten(err)
	return func(ctx context.Context, results []converge.Result, err error) {
		end := journal.End{Outcome: outcome(ctx, err), Seconds: time.Since(begun).Seconds(), Steps: journalled(results)}
		if err != nil {
			end.Error = err.Error()
		}
		s.unwritten(writer.End(ctx, end))
		s.journal = nil
	}
}

// attempting writes that a release is about to be applied.
func (s *Session) attempting(ctx context.Context, digest string) {
	if s.journal != nil {
		s.unwritten(s.journal.Attempt(ctx, digest))
	}
}

// unwritten says, once, that the journal lacks this run.
func (s *Session) unwritten(err error) {
	if err != nil {
		s.unjournalled.Do(func() { s.say("this run is not in the history: %v", err) })
	}
}

func outcome(ctx context.Context, err error) string {
	switch {
	case err == nil:
		return journal.Done
	case ctx.Err() != nil, errors.Is(err, store.ErrLost):
		return journal.Stopped
	}
	return journal.Failed
}

func counts(planned []converge.Planned) map[string]int {
	all := map[string]int{}
	for _, p := range planned {
		for _, c := range p.Plan.Changes {
			all[string(c.Action)]++
		}
	}
	return all
}

func journalled(results []converge.Result) []journal.Step {
	steps := []journal.Step{}
	for _, r := range results {
		if r.Outcome == converge.Unchanged {
			continue
		}
		step := journal.Step{Step: r.Step, Outcome: string(r.Outcome), Changes: r.Changes, Seconds: r.Took.Seconds()}
		if r.Err != nil {
			step.Error = r.Err.Error()
		}
		steps = append(steps, step)
	}
	return steps
}

// Ran is one run of the history.
type Ran struct {
	ID        string         `json:"id"`
	At        time.Time      `json:"at"`
	Who       string         `json:"who"`
	Operation string         `json:"operation"`
	Version   string         `json:"version"`
	Release   string         `json:"release,omitempty"`
	Outcome   string         `json:"outcome"` // done, failed, stopped, running, or died
	Seconds   float64        `json:"seconds,omitempty"`
	Error     string         `json:"error,omitempty"`
	Plan      map[string]int `json:"plan,omitempty"`
	Steps     []journal.Step `json:"steps,omitempty"`
}

// What a run without an end is.
const (
	running = "running" // it holds the run lock
	gone    = "died"
)

// History tells the newest runs, the newest first, and how many there are in all.
func (s *Session) History(ctx context.Context, limit int) ([]Ran, int, error) {
	runs, all, err := journal.Read(ctx, s.bucket, limit)
	if err != nil || len(runs) == 0 {
		return nil, all, err
	}
	lock, err := store.Inspect(ctx, s.whole)
	if err != nil {
		return nil, 0, err
	}
	told := make([]Ran, 0, len(runs))
	for _, r := range runs {
		one := Ran{
			ID: r.ID, At: r.Start.At, Who: r.Start.Who, Operation: r.Start.Operation, Version: r.Start.Version,
			Release: r.Release(), Outcome: gone, Plan: r.Start.Plan,
		}
		switch {
		case r.End != nil:
			one.Outcome, one.Seconds, one.Error, one.Steps = r.End.Outcome, r.End.Seconds, r.End.Error, r.End.Steps
		case lock.Held && !lock.Gone && lock.Fence == r.Start.Fence:
			one.Outcome, one.Seconds = running, time.Since(r.Start.At).Seconds()
		}
		told = append(told, one)
	}
	return told, all, nil
}
