// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// What somebody else does to one object: an edit by hand.
const (
	hand       = "kubectl-edit"
	driftField = "data.level"
)

// driftName is how the drift is told: the object, the field and its writer.
func (p *place) driftName() string {
	return fmt.Sprintf("ConfigMap %s/%s %s %s", p.namespace, p.drifting(), driftField, hand)
}

// drifting is the object that is changed: the first kind's in the middle.
func (p *place) drifting() string {
	for _, o := range p.objects[len(p.objects)/2:] {
		if o.GetKind() == "ConfigMap" {
			return o.GetName()
		}
	}
	return p.objects[0].GetName()
}

func (w *world) drift(t *testing.T, p *place) {
	t.Helper()
	_, err := w.typed.CoreV1().ConfigMaps(p.namespace).Patch(t.Context(), p.drifting(), types.MergePatchType,
		[]byte(`{"data":{"level":"debug"}}`), metav1.PatchOptions{FieldManager: hand})
	if err != nil {
		t.Fatal(err)
	}
}

// mended checks that the drift is really put right.
func (w *world) mended(t *testing.T, p *place) {
	t.Helper()
	m, err := w.typed.CoreV1().ConfigMaps(p.namespace).Get(t.Context(), p.drifting(), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if m.Data["level"] != "info" {
		t.Errorf("%s: the drift was not put right: %q", p.namespace, m.Data["level"])
	}
}

// complete checks that all objects are there.
func (w *world) complete(t *testing.T, p *place) {
	t.Helper()
	there := 0
	for _, r := range resources(p.objects) {
		list, err := w.metadata.Resource(r).Namespace(p.namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range list.Items {
			if strings.HasPrefix(item.Name, "bench-") {
				there++
			}
		}
	}
	if there != len(p.objects) {
		t.Errorf("%s: %d objects are there, not %d", p.namespace, there, len(p.objects))
	}
}

// empty deletes everything of p, also what the tools keep in the cluster.
func (w *world) empty(t *testing.T, p *place) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	for _, k := range profiles()["mixed"] {
		err := w.dynamic.Resource(k.resource).Namespace(p.namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})
		if err != nil {
			t.Errorf("emptying %s: %v", p.namespace, err)
		}
	}
	if err := os.RemoveAll(p.dir); err != nil {
		t.Error(err)
	}
}
