// SPDX-License-Identifier: Apache-2.0

package consul_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"clusterup.dev/clusterup/internal/consul"
	"clusterup.dev/clusterup/internal/converge"
)

// The leader that died is missed by name while the others go on, and the wait
// ends when it votes again. Then all leave at once, as when every node shuts
// down, and come back as the same three.
func TestQuorumAfterLosses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	carryOut(t, w.cluster(t))
	who := leaderOf(t, w)
	w.kill(who)
	c := w.cluster(t)
	var plan converge.Plan
	err := converge.Until(t.Context(), "the loss to be seen", 30*time.Second, func(ctx context.Context) (bool, string, error) {
		var err error
		plan, err = step(t, c, consul.QuorumStep).Plan(ctx)
		return slices.ContainsFunc(plan.Changes, func(ch converge.Change) bool {
			return ch.Action == converge.Wait && strings.Contains(ch.Note, "not healthy: "+w.pod(who))
		}), "", err
	})
	must(t, err)
	t.Logf("%s died: %s", w.pod(who), plan.Changes[0].Note)
	start := time.Now()
	w.start(t, who)
	must(t, step(t, c, consul.QuorumStep).Apply(t.Context(), plan))
	t.Logf("whole again %s after it was started", time.Since(start).Round(time.Millisecond))

	start = time.Now()
	var ends errgroup.Group
	for i := range servers {
		ends.Go(func() error { return w.stop(t.Context(), i) })
	}
	must(t, ends.Wait())
	t.Logf("all left in %s", time.Since(start).Round(time.Millisecond))
	start = time.Now()
	for i := range servers {
		w.start(t, i)
	}
	c = w.cluster(t)
	carryOut(t, c)
	t.Logf("whole again %s after all were started", time.Since(start).Round(time.Millisecond))
	for _, item := range c.Steps() {
		plan, err := item.Step.Plan(t.Context())
		must(t, err)
		if !plan.Empty() {
			t.Errorf("%s: %+v", item.Step.Name(), plan)
		}
	}
}

func leaderOf(t *testing.T, w *world) int {
	t.Helper()
	status, err := w.cluster(t).Status(t.Context())
	must(t, err)
	for i := range servers {
		if w.pod(i) == status.Leader {
			return i
		}
	}
	t.Fatalf("no leader in %+v", status)
	return -1
}
