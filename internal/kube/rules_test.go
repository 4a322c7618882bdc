// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/converge"
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
		{"rules of custom kinds are kept to", ruledOut},
		{"ignored fields are others' business", ignored},
		{"ignored parts of objects", ignoredParts},
		{"replicas that an autoscaler set stay", autoscaled},
		{"injected CA bundles stay", injectedCA},
		{"nothing is written where one object conflicts", conflicted},
		{"all in a namespace that is going is made again", madeAgain},
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

// onProgress gives a context in which do is called once, at the first progress that
// holds text: what is waited for comes about while it is waited for.
func onProgress(t *testing.T, text string, do func()) context.Context {
	t.Helper()
	once := sync.OnceFunc(do)
	return converge.WithProgress(t.Context(), func(message string) {
		if strings.Contains(message, text) {
			once()
		}
	})
}

// soon waits for a condition that needs a moment to come about.
func soon(t *testing.T, what string, holds func() bool) {
	t.Helper()
	if err := converge.Until(t.Context(), what, 5*time.Second, func(context.Context) (bool, string, error) { return holds(), "", nil }); err != nil {
		t.Error(err)
	}
}

// skipping skips objects that are named by kind and name.
func skipping(names ...string) func(Ref) bool {
	return func(r Ref) bool { return slices.Contains(names, r.Kind+"/"+r.Name) }
}

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

// madeAgain proves the whole way of a namespace that is being deleted: a run that dies
// while it waits says for what and with what in the way, has written nothing, and the
// next one makes everything anew once the namespace is gone.
func madeAgain(t *testing.T, c *Cluster) {
	objs := parse(t, "again", small+"\n---\n"+kind("again.clusterup.dev", "{size: {type: integer}}", "{size: 3}"))[:9]
	mustApply(t, c, objs)
	before := make(map[Ref]bool)
	for _, o := range objs {
		before[RefOf(mustGet(t, c, RefOf(o)))] = true
	}
	if err := c.typed.CoreV1().Namespaces().Delete(t.Context(), "again", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	p := mustPlan(t, c, objs)
	for _, change := range p.Changes() {
		if change.Note != "the old one is being deleted" || change.Action != converge.Create {
			t.Errorf("%+v", change)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := c.Apply(ctx, p); err == nil || !strings.Contains(err.Error(), "waiting for Namespace again to be gone") {
		t.Errorf("error %v", err)
	}
	waiting := onProgress(t, "waiting for Namespace again to be gone", func() {
		for _, o := range objs[1:] {
			if o.GetNamespace() != "" {
				_ = c.client(mustResource(t, c, RefOf(o)), "again").Delete(t.Context(), o.GetName(), metav1.DeleteOptions{})
			}
		}
		finishNamespace(t, c, "again")
	})
	if err := c.Apply(waiting, p); err != nil {
		t.Fatal(err)
	}
	for _, o := range objs {
		if r := RefOf(mustGet(t, c, RefOf(o))); before[r] && !isCRD(r) {
			t.Errorf("%s is still the old one", r)
		}
	}
	settled(t, c, objs, Options{})
}
