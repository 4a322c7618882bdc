// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestRules is about what an add-on may say of its objects, and about kinds that do
// not exist yet.
func TestRules(t *testing.T) {
	kubeconfig := testKubeconfig(t)
	for _, test := range []struct {
		name string
		run  func(t *testing.T, c *Cluster)
	}{
		{"an immutable object is made anew where that is allowed", replaced},
		{"what else is immutable", replacedKinds},
		{"a replacement that is stale is refused", replacedStale},
		{"a replacement that is interrupted goes on", replacedInterrupted},
		{"some kinds are never made anew", neverMadeAnew},
		{"ignored fields are others' business", ignored},
		{"ignored parts of objects", ignoredParts},
		{"replicas that an autoscaler set stay", autoscaled},
		{"injected CA bundles stay", injectedCA},
		{"nothing is written where one object conflicts", conflicted},
		{"readiness by a field, with a deadline", readyByRule},
		{"waiting for a kind", unservedKind},
		{"a webhook has to answer", webhookGate},
		{"a webhook that may fail has to have endpoints", gateByEndpoints},
		{"a conversion webhook has to answer", gateOfConversion},
		{"custom resources after the webhook of their own set", ownWebhook},
		{"a plan while a webhook is down", deadWebhook},
		{"kinds that are still to come", comingKind},
		{"a definition that changes with its objects", changedDefinition},
		{"a definition of 300 kB", largeDefinition},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := Connect(Config{Kubeconfig: kubeconfig})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			test.run(t, c)
		})
	}
}

func always(Ref) bool { return true }

// settled proves that there is nothing to do, twice: no claim comes again.
func settled(t *testing.T, c *Cluster, objs []*unstructured.Unstructured, o Options) {
	t.Helper()
	for range 2 {
		p, err := c.Plan(t.Context(), objs, o)
		if err != nil {
			t.Fatal(err)
		}
		if !p.Empty() {
			t.Fatalf("there is still something to do:\n%s%+v", lines(p), p.Changes())
		}
	}
}

func mustApplyWith(t *testing.T, c *Cluster, objs []*unstructured.Unstructured, o Options) *Plan {
	t.Helper()
	p, err := c.Plan(t.Context(), objs, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return p
}

func mustGet(t *testing.T, c *Cluster, r Ref) *unstructured.Unstructured {
	t.Helper()
	u, err := c.Get(t.Context(), r)
	if err != nil || u == nil {
		t.Fatalf("%s: %v, %v", r, u, err)
	}
	return u
}
