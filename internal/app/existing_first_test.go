// SPDX-License-Identifier: Apache-2.0

package app

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"clusterup.dev/clusterup/internal/converge"
)

// metas are the objects of the add-on, by kind.
func (w *world) metas(t *testing.T) map[string]metav1.ObjectMeta {
	t.Helper()
	core, ctx, options := w.client.CoreV1(), t.Context(), metav1.GetOptions{}
	m, err := core.ConfigMaps(w.namespace()).Get(ctx, "settings", options)
	if err != nil {
		t.Fatal(err)
	}
	s, err := core.Secrets(w.namespace()).Get(ctx, "admin", options)
	if err != nil {
		t.Fatal(err)
	}
	a, err := core.ServiceAccounts(w.namespace()).Get(ctx, "robot", options)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]metav1.ObjectMeta{"ConfigMap": m.ObjectMeta, "Secret": s.ObjectMeta, "ServiceAccount": a.ObjectMeta}
}

// A first look shows what would be made and makes nothing; the run makes it, with
// the labels and the manager that everything of clusterup has; the second run
// has nothing to do and moves no object.
func firstRun(t *testing.T, w *world) {
	planned, err := w.look(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"tokens: create token demo/admin", "tokens: create token clusterup/digest", "tokens: create token clusterup/ca",
		"cluster/binding: create environment first",
		"demo/apply: create ConfigMap demo-first/settings", "demo/apply: create Secret demo-first/admin",
		"demo/apply: create Namespace demo-first",
	} {
		if !strings.Contains(lines(planned), want+"\n") {
			t.Errorf("the first plan lacks %q:\n%s", want, lines(planned))
		}
	}
	if keys := w.keys(t); len(keys) > 0 || w.has(t, "settings") {
		t.Fatalf("a look wrote: %v", keys)
	}

	w.mustRun(t)
	before := w.metas(t)
	for kind, meta := range before {
		for label, want := range map[string]string{
			"app.kubernetes.io/name": "demo", "app.kubernetes.io/version": "1.0.0", "app.kubernetes.io/managed-by": "clusterup",
			"clusterup.dev/addon": "demo", "clusterup.dev/environment": "first",
		} {
			if meta.Labels[label] != want {
				t.Errorf("%s has %s=%q, want %q", kind, label, meta.Labels[label], want)
			}
		}
		if len(meta.ManagedFields) != 1 || meta.ManagedFields[0].Manager != "clusterup" || meta.ManagedFields[0].Operation != metav1.ManagedFieldsOperationApply {
			t.Errorf("%s is managed by %+v", kind, meta.ManagedFields)
		}
	}

	results := 0
	if err := w.run(t, w.hold(t), func(e converge.Event) {
		if e.Kind != converge.Unchanged {
			results++
		}
	}); err != nil || results > 0 {
		t.Errorf("the second run did something: %v", err)
	}
	for kind, meta := range w.metas(t) {
		if meta.ResourceVersion != before[kind].ResourceVersion {
			t.Errorf("the second run wrote the %s", kind)
		}
	}
}

// What somebody edited by hand is shown with the field and the hand, and put back.
func drift(t *testing.T, w *world) {
	w.mustRun(t)
	edit := []byte(`{"data":{"level":"debug"}}`)
	_, err := w.client.CoreV1().ConfigMaps(w.namespace()).Patch(t.Context(), "settings", types.MergePatchType, edit, metav1.PatchOptions{FieldManager: "kubectl-edit"})
	if err != nil {
		t.Fatal(err)
	}
	keys := w.things(t)
	planned, err := w.look(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"demo/apply: update ConfigMap demo-drift/settings\n",
		`ConfigMap demo-drift/settings: data.level is "debug", wanted "info", by kubectl-edit`,
	} {
		if !strings.Contains(lines(planned), want) {
			t.Errorf("the plan lacks %q:\n%s", want, lines(planned))
		}
	}
	if n := strings.Count(lines(planned), "demo/"); n != 1 {
		t.Errorf("more than the edit is planned:\n%s", lines(planned))
	}
	w.mustRun(t)
	if got := w.settings(t); got != "info" {
		t.Errorf("level is %q after the run", got)
	}
	if after := w.things(t); !slices.Equal(keys, after) {
		t.Error(fmt.Errorf("putting an edit back changed the bucket from %v to %v", keys, after))
	}
}
