// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/converge"
)

// quorumStep waits until the loss of a server would do no harm: a leader, every
// server a voter, and autopilot calls each healthy by raft's own measures.
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
		var notes []string
		for _, lack := range status.lacks(q.cfg.Servers) {
			notes = append(notes, lack.note)
		}
		return len(notes) == 0, strings.Join(notes, ", "), nil
	})
}

type lack struct{ what, note string }

// lacks are what keeps the quorum from being whole.
func (s Status) lacks(servers int) []lack {
	var lacks []lack
	if s.Leader == "" {
		lacks = append(lacks, lack{"leader", "no leader"})
	}
	if s.Voters < servers {
		lacks = append(lacks, lack{"voters", fmt.Sprintf("%d of %d voters", s.Voters, servers)})
	}
	var sick []string
	for _, server := range s.Members {
		if !server.Healthy {
			sick = append(sick, fmt.Sprintf("%s (%s, %s)", server.Name, server.Role, server.Gossip))
		}
	}
	slices.Sort(sick)
	switch {
	case len(sick) > 0:
		lacks = append(lacks, lack{"health", "not healthy: " + strings.Join(sick, ", ")})
	case !s.Healthy:
		lacks = append(lacks, lack{"health", "autopilot has not called it healthy"})
	}
	return lacks
}
