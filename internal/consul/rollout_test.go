// SPDX-License-Identifier: Apache-2.0

package consul_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"clusterup.dev/clusterup/internal/consul"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

// All three are restarted, each at another address, followers first and the
// leader last, while a client writes: the leader changes once and nothing is lost.
func TestRolloutUnderWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pods := podsOf(t, w)
	with := func(cfg *consul.Config) { cfg.Pods = pods }
	carryOut(t, w.cluster(t, with))
	if plan, err := step(t, w.cluster(t, with), consul.RolloutStep).Plan(t.Context()); err != nil || !plan.Empty() {
		t.Fatalf("with nothing to restart: %+v, %v", plan, err)
	}
	first := leaderOf(t, w)
	w.files["site.hcl"] = strings.Replace(w.files["site.hcl"], `"info"`, `"debug"`, 1)
	pods.change()

	rollout := step(t, w.cluster(t, with), consul.RolloutStep)
	plan, err := rollout.Plan(t.Context())
	must(t, err)
	want := planned(w, first)
	if diff := cmp.Diff(want, plan.Changes); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	m := measure(t, w)
	start := time.Now()
	must(t, rollout.Apply(t.Context(), plan))
	t.Logf("three servers restarted in %s", time.Since(start).Round(time.Millisecond))
	m.stop(t, "rollout")
	var order []string
	for _, change := range want {
		order = append(order, strings.TrimPrefix(change.Subject, "Consul server "))
	}
	if diff := cmp.Diff(order, pods.gone()); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	status, err := w.cluster(t).Status(t.Context())
	must(t, err)
	if status.Voters != servers { // raft's own word, which no late server changes
		t.Errorf("voters after the rollout: %+v", status)
	}
	mustBeWhole(t, w.cluster(t))
	for _, item := range w.cluster(t, with).Steps() {
		plan, err := item.Step.Plan(t.Context())
		must(t, err)
		if !plan.Empty() {
			t.Errorf("%s: something is left: %+v", item.Step.Name(), plan)
		}
	}

	// Killed in the middle, the next run does the rest and no more.
	t.Run("cut off and gone on with", func(t *testing.T) {
		pods.change()
		for round := 1; round <= 2; round++ {
			ctx, cancel := context.WithCancel(t.Context())
			rollout := step(t, w.cluster(t, with), consul.RolloutStep)
			plan, err := rollout.Plan(ctx)
			must(t, err)
			go func() {
				defer cancel()
				_ = converge.Until(ctx, "a restart", time.Minute, func(context.Context) (bool, string, error) { return len(pods.gone()) == round, "", nil })
			}()
			if err := rollout.Apply(ctx, plan); !errors.Is(err, context.Canceled) {
				t.Fatalf("cut run %d: %v", round, err)
			}
		}
		rollout := step(t, w.cluster(t, with), consul.RolloutStep)
		plan, err := rollout.Plan(t.Context())
		must(t, err)
		must(t, rollout.Apply(t.Context(), plan))
		gone := pods.gone()
		if slices.Sort(gone); len(slices.Compact(gone)) != 3 || len(pods.gone()) != 3 {
			t.Errorf("restarted: %v", pods.gone())
		}
	})
}

// planned is what a whole rollout has to say, with this leader.
func planned(w *world, leader int) []converge.Change {
	var changes []converge.Change
	add := func(i int, why string) {
		changes = append(changes, converge.Change{Subject: "Consul server " + w.pod(i), Action: converge.Replace, Note: "new revision; " + why})
	}
	for i := servers - 1; i >= 0; i-- {
		if i != leader {
			add(i, "follower")
		}
	}
	add(leader, "leader: last, after a leadership transfer")
	return changes
}

// A server that does not come back stops the rollout, by name and before another
// is touched; put back, the ill one is restarted first and alone.
func TestRolloutStopsAndGoesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pods := podsOf(t, w)
	with := func(cfg *consul.Config) { cfg.Pods, cfg.Timeout = pods, 20*time.Second }
	carryOut(t, w.cluster(t, func(cfg *consul.Config) { cfg.Pods = pods }))
	pods.change()
	pods.broken = true
	rollout := step(t, w.cluster(t, with), consul.RolloutStep)
	plan, err := rollout.Plan(t.Context())
	must(t, err)
	err = rollout.Apply(t.Context(), plan)
	ill := pods.gone()
	if err == nil || len(ill) != 1 {
		t.Fatalf("restarted %v, %v", ill, err)
	}
	t.Logf("it says: %v\nhint: %s", err, hint.Of(err))
	for _, want := range []string{"the rollout stops", ill[0] + " (", "its pod is not ready", "container consul: it does not answer"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it does not say %q: %v", want, err)
		}
	}
	if !strings.Contains(hint.Of(err), "run again") {
		t.Errorf("hint: %s", hint.Of(err))
	}

	// With the ill one of the wanted revision, nothing else is restarted.
	rollout = step(t, w.cluster(t, with), consul.RolloutStep)
	plan, err = rollout.Plan(t.Context())
	must(t, err)
	if len(plan.Notices) != 1 || !strings.Contains(plan.Notices[0], ill[0]) || len(plan.Changes) != 2 {
		t.Errorf("plan with an ill server: %+v", plan)
	}
	if err := rollout.Apply(t.Context(), plan); err == nil || !strings.Contains(err.Error(), "before its first server is restarted") || len(pods.gone()) != 1 {
		t.Errorf("restarted %v with an ill one: %v", pods.gone(), err)
	}

	// The old revision again: only the ill one waits.
	pods.mu.Lock()
	pods.wanted, pods.broken, pods.deleted = pods.wanted-1, false, nil
	pods.mu.Unlock()
	c := w.cluster(t, func(cfg *consul.Config) { cfg.Pods = pods })
	rollout = step(t, c, consul.RolloutStep)
	plan, err = rollout.Plan(t.Context())
	must(t, err)
	if len(plan.Changes) != 1 || !strings.Contains(plan.Changes[0].Note, "ill, so it is not missed: "+ill[0]) {
		t.Errorf("plan back: %+v", plan)
	}
	must(t, rollout.Apply(t.Context(), plan))
	if diff := cmp.Diff(ill, pods.gone()); diff != "" {
		t.Errorf("restarted on the way back (-want +got):\n%s", diff)
	}

	// A plan that somebody else carried out is done; one for other pods is stale.
	must(t, rollout.Apply(t.Context(), plan))
	pods.change()
	if err := rollout.Apply(t.Context(), plan); !errors.Is(err, converge.ErrStale) {
		t.Errorf("stale plan: %v", err)
	}
}

// A server that dies is missed by nobody: the leader changes once at the most.
func TestLossUnderWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	carryOut(t, w.cluster(t))
	for _, who := range []string{"a follower", "the leader"} {
		lost := leaderOf(t, w)
		if who == "a follower" {
			lost = (lost + 1) % servers
		}
		m := measure(t, w)
		w.kill(lost)
		must(t, converge.Until(t.Context(), "the loss to be noticed", time.Minute, func(ctx context.Context) (bool, string, error) {
			status, err := w.cluster(t).Status(ctx)
			return err == nil && !status.Healthy && status.Leader != "" && status.Leader != w.pod(lost), "", err
		}))
		start := time.Now()
		w.start(t, lost)
		one := step(t, w.cluster(t), consul.QuorumStep)
		must(t, one.Apply(t.Context(), converge.Plan{}))
		t.Logf("%s: whole %s after its new start", who, time.Since(start).Round(time.Millisecond))
		m.stop(t, "the loss of "+who)
	}
}
