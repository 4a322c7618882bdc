// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

// rolloutStep restarts the servers whose pods are not of the wanted revision, one
// at a time, and each only while raft could lose it: followers first, the leader
// last and after it has handed the lead to a server that has been restarted.
// Nothing is kept of how far it came: what waits is seen in the pods, so a run
// that was killed is gone on with by the next.
type rolloutStep struct{ *Cluster }

// Name is "consul/rollout".
func (rolloutStep) Name() string { return RolloutStep }

// Destroy does nothing: the pods go with the add-on's objects.
func (rolloutStep) Destroy(context.Context) error { return nil }

// Plan says which servers are restarted, in which order and why.
func (r rolloutStep) Plan(ctx context.Context) (converge.Plan, error) {
	pods, err := r.pods(ctx)
	if err != nil || !slices.ContainsFunc(slices.Collect(maps.Values(pods)), Pod.waits) {
		return converge.Plan{}, err
	}
	view, err := r.view(ctx)
	if err != nil {
		return converge.Plan{}, err
	}
	basis := make(rollout)
	plan := converge.Plan{Basis: basis}
	for _, server := range view.inOrder() {
		basis[server.pod.UID] = true
		plan.Changes = append(plan.Changes, converge.Change{
			Subject: "Consul server " + server.pod.Name, Action: converge.Replace, Note: "new revision; " + view.why(server),
		})
	}
	if held := view.held(); held != "" {
		plan.Notices = []string{"no Consul server is restarted before all others are well: " + held}
	}
	return plan, nil
}

// rollout is what a plan rests on: the UIDs of the pods to be replaced.
type rollout map[string]bool

// patience is how long the others may take to be well before the first restart:
// enough for one that came back a moment ago to vote again.
const patience = time.Minute

// Apply restarts what the plan named. A pod that somebody replaced meanwhile is
// done; one that the plan did not see makes it stale.
func (r rolloutStep) Apply(ctx context.Context, p converge.Plan) error {
	planned, ok := p.Basis.(rollout)
	switch {
	case p.Empty():
		return nil
	case !ok:
		return converge.ErrStale
	}
	limit, last := min(patience, r.cfg.Timeout), "" // last is the server that was restarted last
	for {
		next, err := r.await(ctx, limit, last)
		if err != nil {
			return err
		}
		switch {
		case next.pod.UID == "":
			return nil
		case !planned[next.pod.UID]:
			return converge.ErrStale
		case next.heir.ID != "":
			err = r.handOver(ctx, next.heir)
		default:
			converge.Progress(ctx, "restarting %s: %s", next.pod.Name, next.why)
			limit, last = r.cfg.Timeout, next.pod.Name
			err = r.restart(ctx, next.pod)
		}
		if err != nil {
			return err
		}
	}
}

// await returns the next move once it may be made, or none when nothing waits
// and all are well.
func (r rolloutStep) await(ctx context.Context, limit time.Duration, last string) (move, error) {
	what := "Consul to be whole before its first server is restarted"
	if last != "" {
		what = "Consul to be whole after the restart of " + last
	}
	var next move
	var illness map[string]time.Time
	err := converge.Until(ctx, what, limit, func(ctx context.Context) (bool, string, error) {
		view, err := r.view(ctx)
		if err != nil {
			return false, "", impatient(err)
		}
		illness = view.remember(illness)
		var pending string
		if next, pending = view.next(illness); pending != "" {
			return false, pending, nil
		}
		if next.costsNothing {
			return true, "", nil
		}
		pending, err = r.proven(ctx)
		return err == nil && pending == "", pending, impatient(err)
	})
	var late *converge.TimeoutError
	if errors.As(err, &late) {
		said := "no server was restarted"
		if last != "" {
			said = last + " is the last that was restarted"
		}
		return move{}, hint.With(fmt.Errorf("the rollout stops: %w", err), "%s, and no other is while this holds; look with `kubectl -n %s get pods` and `kubectl -n %s describe pod NAME`, "+
			"mend it, or put the old configuration back, and run again: it goes on from here", said, r.cfg.Namespace, r.cfg.Namespace)
	}
	return next, err
}

// restart ends a pod and returns when another one of its name is there.
func (r rolloutStep) restart(ctx context.Context, p Pod) error {
	if err := r.cfg.Pods.Delete(ctx, p); err != nil {
		return fmt.Errorf("restart %s: %w", p.Name, err)
	}
	return converge.Until(ctx, p.Name+" to leave and its pod to come back", r.cfg.Timeout, func(ctx context.Context) (bool, string, error) {
		pods, err := r.pods(ctx)
		now := pods[p.Name]
		switch {
		case err != nil:
			return false, "", err
		case now.UID == p.UID:
			return false, "it has not ended", nil
		}
		return now.UID != "", "there is no pod", nil
	})
}

// tries is how often the lead is handed over to one server; election is how long
// raft may take for it.
const (
	tries    = 3
	election = 10 * time.Second
)

// handOver makes heir the leader. Who leads is asked of the servers themselves:
// autopilot takes some seconds to notice.
func (r rolloutStep) handOver(ctx context.Context, heir Member) error {
	converge.Progress(ctx, "handing the lead to %s", heir.Name)
	s, err := r.session(ctx)
	if err != nil {
		return err
	}
	for range tries {
		refused := s.write(ctx, func(ctx context.Context, server *api.Client) error {
			_, err := server.Operator().RaftLeaderTransfer(heir.ID, (&api.QueryOptions{}).WithContext(ctx))
			return err
		})
		err = converge.Until(ctx, heir.Name+" to lead", election, func(ctx context.Context) (bool, string, error) {
			var now string
			err := s.read(ctx, func(ctx context.Context, server *api.Client) (err error) {
				now, err = leader(ctx, server)
				return err
			})
			return now == heir.Address, fmt.Sprintf("the leader is at %q", now), err
		})
		if err == nil || ctx.Err() != nil {
			return err
		}
		err = errors.Join(err, refused)
	}
	return fmt.Errorf("hand the lead to %s: %w", heir.Name, err)
}
