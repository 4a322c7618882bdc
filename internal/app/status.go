// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/localcluster"
)

// Status is the state of an environment as `status` tells it.
type Status struct {
	Environment string        `json:"environment"`
	Healthy     bool          `json:"healthy"`
	Layers      []LayerStatus `json:"layers"`
}

// LayerStatus is one row: nodes, an add-on, what a hook looks after, drift.
type LayerStatus struct {
	Name    string `json:"name"` // "nodes", "consul", "vault", "key shares", "drift"
	Healthy bool   `json:"healthy"`
	Summary string `json:"summary"` // "3 of 3 ready"
	Detail  string `json:"detail,omitempty"`
}

// Rows is the table of the text output.
func (s Status) Rows() [][]string {
	rows := [][]string{}
	for _, l := range s.Layers {
		mark := "ok"
		if !l.Healthy {
			mark = "degraded"
		}
		line := l.Summary
		if l.Detail != "" {
			line += "  (" + l.Detail + ")"
		}
		rows = append(rows, []string{l.Name, mark, line})
	}
	return rows
}

// report looks at a part of the environment.
type report func(ctx context.Context) []LayerStatus

// failed is the row of a layer that could not be looked at.
func failed(name string, err error) LayerStatus {
	if errors.Is(err, converge.ErrNotYet) {
		return LayerStatus{Name: name, Summary: "not there yet"}
	}
	first, rest, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	if rest != "" {
		first += fmt.Sprintf(" (and %d more)", 1+strings.Count(rest, "\n"))
	}
	return LayerStatus{Name: name, Summary: "unknown", Detail: first}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Status looks at every layer side by side. What cannot be looked at is a
// degraded row, not an error: half an environment has a status too.
func (s *Session) Status(ctx context.Context) Status {
	looks := []report{s.nodesReport}
	for _, a := range s.targets() {
		looks = append(looks, s.addonReport(a.name))
	}
	for _, a := range s.targets() {
		looks = append(looks, s.reports[a.name]...)
	}
	return s.gather(ctx, looks)
}

// StatusAndDrift is Status with one more row: what a plan would change.
func (s *Session) StatusAndDrift(ctx context.Context) Status {
	var drift LayerStatus
	var wait sync.WaitGroup
	wait.Go(func() { drift = s.driftReport(ctx) })
	status := s.Status(ctx)
	wait.Wait()
	status.Layers = append(status.Layers, drift)
	status.Healthy = status.Healthy && drift.Healthy
	return status
}

func (s *Session) gather(ctx context.Context, looks []report) Status {
	rows := make([][]LayerStatus, len(looks))
	var wait sync.WaitGroup
	for i, look := range looks {
		wait.Go(func() { rows[i] = look(ctx) })
	}
	wait.Wait()
	status := Status{Environment: s.Name(), Healthy: true, Layers: slices.Concat(rows...)}
	for _, l := range status.Layers {
		status.Healthy = status.Healthy && l.Healthy
	}
	return status
}

func (s *Session) nodesReport(ctx context.Context) []LayerStatus {
	cluster, err := s.cluster(ctx)
	if errors.Is(err, converge.ErrNotYet) {
		return []LayerStatus{{Name: "nodes", Summary: "there is no cluster yet"}}
	}
	if err != nil {
		return []LayerStatus{failed("nodes", err)}
	}
	all, err := cluster.Nodes(ctx)
	if err != nil {
		return []LayerStatus{failed("nodes", err)}
	}
	dead := s.deadNodes(ctx)
	ready, others := 0, []string{}
	for _, n := range all {
		switch {
		case slices.Contains(dead, n.Name): // Kubernetes takes most of a minute to notice
			others = append(others, n.Name+" is dead")
		case n.Ready:
			ready++
		default:
			others = append(others, n.Name+" "+n.Reason)
		}
	}
	want := max(s.wantNodes(), len(all))
	return []LayerStatus{{
		Name: "nodes", Healthy: ready == want && want > 0,
		Summary: fmt.Sprintf("%d of %d ready", ready, want), Detail: strings.Join(others, "; "),
	}}
}

// deadNodes names the nodes of this machine whose first process is gone.
func (s *Session) deadNodes(ctx context.Context) []string {
	if s.local == nil {
		return nil
	}
	seen, err := localcluster.Observe(ctx, *s.local)
	if err != nil {
		return nil // what the API server says has to do
	}
	dead := []string{}
	for _, n := range seen.Nodes {
		if !n.Alive {
			dead = append(dead, n.Name)
		}
	}
	return dead
}

// addonReport says which of an add-on's objects are not what they should be.
func (s *Session) addonReport(name string) report {
	return func(ctx context.Context) []LayerStatus {
		row := LayerStatus{Name: "add-on " + name}
		version, pending, err := s.pending(ctx, name)
		switch {
		case errors.Is(err, converge.ErrNotYet):
			row.Summary = "not applied yet"
		case err != nil:
			row = failed(row.Name, err)
		case len(pending) > 0:
			row.Summary = fmt.Sprintf("%s %s, not ready: %s", version, plural(len(pending), "object"), pending[0].Subject)
			row.Detail = pending[0].Reason
		default:
			row.Healthy, row.Summary = true, version+" ready"
		}
		return []LayerStatus{row}
	}
}

func (s *Session) driftReport(ctx context.Context) LayerStatus {
	row := LayerStatus{Name: "drift"}
	planned, err := s.Plan(ctx, "")
	if err != nil {
		return failed(row.Name, err)
	}
	changes, steps := 0, []string{}
	for _, p := range planned {
		if p.Pending() {
			changes += len(p.Plan.Changes)
			steps = append(steps, p.Step.Name())
		}
	}
	if len(steps) == 0 {
		row.Healthy, row.Summary = true, "none"
		return row
	}
	row.Summary = plural(changes, "change") + " to make: clusterup diff " + s.Name()
	row.Detail = strings.Join(steps, ", ")
	return row
}
