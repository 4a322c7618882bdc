// SPDX-License-Identifier: Apache-2.0

package consul_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"clusterup.dev/clusterup/internal/consul"
	"clusterup.dev/clusterup/internal/converge"
)

// A fresh Consul is planned in full, comes to a healthy quorum, and then there
// is nothing to do; finding that out takes no time worth speaking of.
func TestFreshServersBecomeAQuorum(t *testing.T) {
	start := time.Now()
	w := newWorld(t)
	c := w.cluster(t)
	plans := carryOut(t, c)
	t.Logf("from start to healthy: %s", time.Since(start).Round(time.Millisecond))
	var subjects []string
	for _, name := range []string{consul.BootstrapStep, consul.ACLStep} {
		for _, change := range plans[name].Changes {
			if change.Action != converge.Wait {
				subjects = append(subjects, string(change.Action)+" "+change.Subject)
			}
		}
	}
	want := []string{
		"run Consul ACLs",
		"create Consul policy agents", "create Consul policy app", "create Consul policy dns", "create Consul policy operators",
		"create Consul policy server-agent", "create Consul policy snapshots",
		"create Consul token app/consul", "create Consul token consul/agents", "create Consul token consul/operators",
		"create Consul token consul/server-agent", "create Consul token consul/snapshots",
		"update Consul anonymous token", "create Consul auth method kubernetes",
	}
	if diff := cmp.Diff(want, subjects); diff != "" {
		t.Errorf("planned (-want +got):\n%s", diff)
	}

	again := w.cluster(t)
	before, dials := time.Now(), w.dials.Load()
	for _, item := range append(again.Steps(), converge.Item{Step: step(t, again, consul.RevokeStep)}) {
		plan, err := item.Step.Plan(t.Context())
		must(t, err)
		if !plan.Empty() {
			t.Errorf("%s: something is left to do: %+v", item.Step.Name(), plan)
		}
	}
	t.Logf("nothing to do after: %s with %d connections", time.Since(before).Round(time.Millisecond), w.dials.Load()-dials)
	if took := time.Since(before); took > 2*time.Second {
		t.Errorf("planning nothing took %s", took)
	}
	status := mustBeWhole(t, again)
	if status.Voters != servers || status.FailureTolerance != 1 || status.Leader == "" {
		t.Errorf("status: %+v", status)
	}
}

// mustBeWhole waits until the leader calls every server healthy. It calls one ill for a
// moment that it did not hear from in time, as on a machine that has much else to do.
func mustBeWhole(t *testing.T, c *consul.Cluster) (status consul.Status) {
	t.Helper()
	err := converge.Until(t.Context(), "every server to be healthy", 30*time.Second, func(ctx context.Context) (whole bool, pending string, err error) {
		status, err = c.Status(ctx)
		return status.Whole(), fmt.Sprintf("%+v", status), err
	})
	must(t, err)
	return status
}
