// SPDX-License-Identifier: Apache-2.0

package consul_test

import (
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
		"run Consul ACLs", "create Consul policy app", "create Consul policy server-agent",
		"create Consul token app/consul", "create Consul token consul/server-agent",
	}
	if diff := cmp.Diff(want, subjects); diff != "" {
		t.Errorf("planned (-want +got):\n%s", diff)
	}

	again := w.cluster(t)
	before, dials := time.Now(), w.dials.Load()
	for _, item := range again.Steps() {
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
	status, err := again.Status(t.Context())
	must(t, err)
	if !status.Whole() || status.Voters != servers || status.FailureTolerance != 1 || status.Leader == "" {
		t.Errorf("status: %+v", status)
	}
}
