// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

func refsOf(objs []*unstructured.Unstructured) []Ref {
	refs := make([]Ref, 0, len(objs))
	for _, o := range objs {
		refs = append(refs, RefOf(o))
	}
	return refs
}

// finishNamespace does what the namespace controller would: an API server alone keeps
// a deleted namespace for ever.
func finishNamespace(t *testing.T, c *Cluster, name string) {
	t.Helper()
	ns, err := c.typed.CoreV1().Namespaces().Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ns.Spec.Finalizers = nil
	if _, err := c.typed.CoreV1().Namespaces().Finalize(t.Context(), ns, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// collectGarbage does what the garbage collector would for what is deleted in the
// foreground and has no dependents.
func collectGarbage(t *testing.T, c *Cluster, refs ...Ref) {
	collect := func(ctx context.Context) (bool, string, error) {
		gone := 0
		for _, r := range refs {
			switch u, err := c.Get(ctx, r); {
			case err == nil && u == nil:
				gone++
			case err == nil && u.GetDeletionTimestamp() != nil:
				_, _ = c.client(resource{gvr: c.gvr(r), namespaced: true}, r.Namespace).Patch(ctx, r.Name, types.MergePatchType,
					[]byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
			}
		}
		return gone == len(refs), "", nil
	}
	ctx := t.Context()
	go func() { _ = converge.Until(ctx, "garbage", time.Minute, collect) }()
}

func (c *Cluster) gvr(r Ref) schema.GroupVersionResource {
	c.kinds.mu.Lock()
	defer c.kinds.mu.Unlock()
	return c.kinds.known[r.gvk()].gvr
}

func deleted(t *testing.T, c *Cluster) {
	objs := parse(t, "deleted", small)[:4]
	mustApply(t, c, objs)
	refs := refsOf(objs)
	live, err := c.Get(t.Context(), refs[1])
	if err != nil {
		t.Fatal(err)
	}
	kept := refs[2]
	kept.UID = "another-than-the-live-one"
	refs[1].UID = string(live.GetUID())
	deployment := parse(t, "deleted", small)[5:]
	mustApply(t, c, deployment)
	collectGarbage(t, c, RefOf(deployment[0]))
	if err := c.Delete(t.Context(), []Ref{refs[1], kept, refs[3], RefOf(deployment[0])}, DeleteOptions{Wait: 20 * time.Second}); err != nil {
		t.Fatal(err)
	}
	if u, err := c.Get(t.Context(), refs[1]); err != nil || u != nil {
		t.Errorf("deleted, but there: %v, %v", u, err)
	}
	if u, err := c.Get(t.Context(), kept); err != nil || u == nil {
		t.Errorf("an object with another UID was deleted: %v", err)
	}
}

func heldDeletion(t *testing.T, c *Cluster) {
	objs := parse(t, "held", strings.Replace(small, "{name: settings,", "{name: settings, finalizers: [demo.clusterup.dev/hold],", 1))
	mustApply(t, c, objs)
	err := c.Delete(t.Context(), refsOf(objs[1:2]), DeleteOptions{Wait: time.Second})
	if err == nil || !strings.Contains(err.Error(), "ConfigMap held/settings") || !strings.Contains(err.Error(), "demo.clusterup.dev/hold") {
		t.Errorf("error %v, want what holds the object", err)
	}
	if hint.Of(err) == "" {
		t.Error("the error has no hint")
	}
}

func terminating(t *testing.T, c *Cluster) {
	objs := parse(t, "terminating", small)
	mustApply(t, c, objs)
	err := c.typed.CoreV1().Namespaces().Delete(t.Context(), "terminating", metav1.DeleteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p := mustPlan(t, c, objs)
	if got := len(p.Changes()); got != len(objs) {
		t.Fatalf("%d changes, want all %d objects again:\n%s", got, len(objs), lines(p))
	}
	if _, err := c.Plan(t.Context(), objs[1:], Options{}); err != nil {
		t.Errorf("objects that are still there: %v", err)
	}
	waiting := onProgress(t, "waiting for Namespace terminating to be gone", func() {
		for _, r := range refsOf(objs[1:]) {
			_ = c.client(mustResource(t, c, r), r.Namespace).Delete(t.Context(), r.Name, metav1.DeleteOptions{})
		}
		finishNamespace(t, c, "terminating")
	})
	if err := c.Apply(waiting, p); err != nil {
		t.Fatal(err)
	}
	if again := mustPlan(t, c, objs); !again.Empty() {
		t.Errorf("still\n%s", lines(again))
	}
}

func mustResource(t *testing.T, c *Cluster, r Ref) resource {
	t.Helper()
	objects, err := c.kinds.resolve(t.Context(), []schema.GroupVersionKind{r.gvk()})
	if err != nil {
		t.Fatal(err)
	}
	return objects[r.gvk()]
}
