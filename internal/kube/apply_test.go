// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"clusterup.dev/clusterup/internal/converge"
)

const crdAndObjects = `apiVersion: demo.clusterup.dev/v1
kind: Widget
metadata: {name: one, namespace: NS, labels: {clusterup.dev/environment: test}}
spec: {size: 3}
---
apiVersion: demo.clusterup.dev/v1
kind: Widget
metadata: {name: two, namespace: NS, labels: {clusterup.dev/environment: test}}
spec: {size: 4}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.demo.clusterup.dev, labels: {clusterup.dev/environment: test}}
spec:
  group: demo.clusterup.dev
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget, listKind: WidgetList}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, properties: {size: {type: integer}}}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
---
apiVersion: v1
kind: Namespace
metadata: {name: NS, labels: {clusterup.dev/environment: test}}
`

// customResources proves that custom resources can be planned before
// their kind and their namespace exist, and are applied after both.
func customResources(t *testing.T, c *Cluster) {
	objs := parse(t, "widgets", crdAndObjects)
	done := timed(t, "a CRD and its objects")
	mustApply(t, c, objs)
	done()
	if again := mustPlan(t, c, objs); !again.Empty() {
		t.Errorf("still\n%s", lines(again))
	}
	fresh, err := connect(c.rest, "")
	if err != nil {
		t.Fatal(err)
	}
	if again := mustPlan(t, fresh, objs); !again.Empty() {
		t.Errorf("another connection still sees\n%s", lines(again))
	}
	pending, err := c.Pending(t.Context(), objs, WaitOptions{Skip: skipping("Widget/two")})
	if err != nil {
		t.Fatal(err)
	}
	if len(pending) != 1 || pending[0].Subject != "Widget widgets/one" || !strings.Contains(pending[0].Reason, "no status yet") {
		t.Errorf("pending %+v, want Widget one without a status", pending)
	}
	refs := refsOf(objs)
	collectGarbage(t, c, refs[:2]...)
	if err := c.Delete(t.Context(), refs[:3], DeleteOptions{Wait: 20 * time.Second}); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(t.Context(), refs[:3], DeleteOptions{Wait: 20 * time.Second}); err != nil {
		t.Errorf("deleting what is absent, CRD and all: %v", err)
	}
	mustApply(t, c, objs)
}

func applyOrder(t *testing.T, c *Cluster) {
	objs := parse(t, "order", small)
	reversed := parse(t, "order", small)
	for i, o := range objs {
		reversed[len(objs)-1-i] = o
	}
	var mu sync.Mutex
	var said []string
	ctx := converge.WithProgress(t.Context(), func(m string) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, m)
	})
	p := mustPlan(t, c, reversed)
	if err := c.Apply(ctx, p); err != nil {
		t.Fatal(err)
	}
	if len(said) != len(objs) || !strings.HasSuffix(said[0], "Namespace order") || !strings.HasSuffix(said[len(said)-1], "Deployment order/web") {
		t.Errorf("progress %q, want the namespace first and the workload last", said)
	}
}

func refusals(t *testing.T, c *Cluster) {
	namespace := "apiVersion: v1\nkind: Namespace\nmetadata: {name: NS}\n---\n"
	for _, test := range []struct{ name, text, want string }{
		{"unknown kind", "apiVersion: nowhere.dev/v1\nkind: Thing\nmetadata: {name: x}", "Thing x: the cluster does not serve nowhere.dev/v1 Thing"},
		{"twice", "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a}", "Namespace a is there twice"},
		{"no namespace", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}", "Secret a has no namespace"},
		{"a namespace too many", "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, namespace: b}", "Namespace b/a names a namespace"},
		{"unknown field", namespace + "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: NS}\nspec: {portz: []}", "portz"},
	} {
		p, err := c.Plan(t.Context(), parse(t, "refusals", test.text), Options{})
		if err == nil {
			err = c.Apply(t.Context(), p)
		}
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
}

func immutableField(t *testing.T, c *Cluster) {
	mustApply(t, c, parse(t, "immutable", small))
	_, err := c.Plan(t.Context(), parse(t, "immutable", strings.ReplaceAll(small, "app: web", "app: other")), Options{})
	if err == nil || !strings.Contains(err.Error(), "Deployment immutable/web") || !strings.Contains(err.Error(), "immutable") {
		t.Errorf("error %v", err)
	}
}

// adopted proves that objects which somebody else made with the same values are
// taken over once, and that nothing is left to do then.
func adopted(t *testing.T, c *Cluster) {
	objs := parse(t, "adopted", small)
	mustApply(t, c, objs[:1])
	settings, err := c.prepare(t.Context(), objs[1:2])
	if err != nil {
		t.Fatal(err)
	}
	settings[0].body.SetLabels(nil) // so that a list by labels does not show it
	if _, err := c.client(settings[0].resource, "adopted").Create(t.Context(), settings[0].body, metav1.CreateOptions{FieldManager: "somebody"}); err != nil {
		t.Fatal(err)
	}
	p := mustPlan(t, c, objs[:3])
	if got, want := lines(p), "update ConfigMap adopted/settings\n  metadata.labels[\"clusterup.dev/environment\"]:  -> test ()\ncreate ConfigMap adopted/more\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	mustApply(t, c, objs)
	if again := mustPlan(t, c, objs); !again.Empty() {
		t.Errorf("still\n%s", lines(again))
	}
}

func cancelled(t *testing.T, c *Cluster) {
	objs := parse(t, "cancelled", small)
	p := mustPlan(t, c, objs)
	ctx, cancel := context.WithCancelCause(t.Context())
	because := errors.New("interrupted")
	cancel(because)
	if err := c.Apply(ctx, p); !errors.Is(err, because) && !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	mustApply(t, c, objs)
	if again := mustPlan(t, c, objs); !again.Empty() {
		t.Errorf("still\n%s", lines(again))
	}
}
