// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/converge"
)

// quorumStep waits until the loss of a server would do no harm: a leader, every
// server a voter, autopilot calls each healthy by raft's own measures and has
// done so for a while, and a write reaches them all.
type quorumStep struct{ *Cluster }

// Name is "consul/quorum".
func (quorumStep) Name() string { return QuorumStep }

// Destroy does nothing: the servers are the add-on's objects.
func (quorumStep) Destroy(context.Context) error { return nil }

// Plan says what is not yet true.
func (q quorumStep) Plan(ctx context.Context) (converge.Plan, error) {
	status, err := q.Status(ctx)
	switch {
	case err == nil:
	case errors.Is(err, converge.ErrNotYet), ctx.Err() != nil:
		return converge.Plan{}, err
	case unknownToken(err):
		return converge.Plan{After: BootstrapStep}, nil
	case transient(err):
		return converge.Plan{Changes: []converge.Change{{Subject: "Consul leader", Action: converge.Wait, Note: err.Error()}}}, nil
	default:
		return converge.Plan{}, err
	}
	var plan converge.Plan
	for _, lack := range status.lacks(q.cfg.Servers) {
		plan.Changes = append(plan.Changes, converge.Change{Subject: "Consul " + lack.what, Action: converge.Wait, Note: lack.note})
	}
	if pods, err := q.pods(ctx); err == nil { // which is no concern of raft's
		plan.Notices = shared(pods)
	}
	return plan, nil
}

// Apply waits until nothing is lacking.
func (q quorumStep) Apply(ctx context.Context, _ converge.Plan) error {
	what := fmt.Sprintf("%d healthy Consul servers that vote", q.cfg.Servers)
	return converge.Until(ctx, what, q.cfg.Timeout, func(ctx context.Context) (bool, string, error) {
		status, err := q.Status(ctx)
		if err != nil {
			return false, "", impatient(err)
		}
		pending := status.pending(q.cfg.Servers)
		if pending == "" {
			pending, err = q.proven(ctx)
		}
		return err == nil && pending == "", pending, impatient(err)
	})
}

// pending is all that is lacking, in one clause; "" for nothing.
func (s Status) pending(servers int) string {
	var notes []string
	for _, lack := range s.lacks(servers) {
		notes = append(notes, lack.note)
	}
	return strings.Join(notes, ", ")
}

// shared names the nodes that more than one server runs on.
func shared(pods map[string]Pod) []string {
	on := make(map[string][]string)
	for _, name := range slices.Sorted(maps.Keys(pods)) {
		if node := pods[name].Node; node != "" {
			on[node] = append(on[node], name)
		}
	}
	var notices []string
	for _, node := range slices.Sorted(maps.Keys(on)) {
		if names := on[node]; len(names) > 1 {
			notices = append(notices, fmt.Sprintf("%s run on one node, %s: its loss is that of %d votes", strings.Join(names, " and "), node, len(names)))
		}
	}
	return notices
}
