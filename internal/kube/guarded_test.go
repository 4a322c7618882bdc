// SPDX-License-Identifier: Apache-2.0

package kube

import "testing"

// TestGuards proves which objects wait for the webhooks of their set: custom resources
// that one of them is called for and must answer, or that are converted; no others.
func TestGuards(t *testing.T) {
	server := &webhookServer{address: "127.0.0.1:1"}
	text := server.webhooks("Validating", "guards",
		"fails x rules: [{apiGroups: [demo.clusterup.dev], apiVersions: [v1], resources: [widgets], operations: [CREATE]}], objectSelector: {matchLabels: {guarded: 'yes'}}",
		"ignores x rules: [{apiGroups: ['*'], apiVersions: ['*'], resources: ['*'], operations: ['*']}], failurePolicy: Ignore",
		"core x rules: [{apiGroups: [''], apiVersions: ['*'], resources: ['*'], operations: ['*']}]",
		"deletes x rules: [{apiGroups: [demo.clusterup.dev], apiVersions: ['*'], resources: ['*/*'], operations: [DELETE]}]")
	objs := parseHooks(t, "guards", crdAndObjects+text)
	objs[1].SetLabels(map[string]string{"guarded": "yes"})
	var plans []ObjectPlan
	for _, u := range objs {
		o, err := normalize(u)
		if err != nil {
			t.Fatal(err)
		}
		o.resource = kindsOf(objs[2])[o.gvk()]
		plans = append(plans, ObjectPlan{Ref: o.Ref, wanted: o})
	}
	check := func(want ...bool) {
		t.Helper()
		g, err := guardsOf(plans)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range plans {
			if got := g.before(p.wanted); got != (i < len(want) && want[i]) {
				t.Errorf("%s waits: %v", p.Ref, got)
			}
		}
	}
	check(false, true)
	plans[2].wanted.body.Object["spec"].(map[string]any)["conversion"] = map[string]any{"strategy": "Webhook"}
	check(true, true)
}
