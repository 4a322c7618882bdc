// SPDX-License-Identifier: Apache-2.0

package app

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"clusterup.dev/clusterup/internal/hint"
)

// A namespace that was there before, with what others keep in it, survives the
// destroy; what clusterup put into it does not.
func sharedNamespace(t *testing.T, w *world) {
	core := w.client.CoreV1()
	theirs := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace(), Labels: map[string]string{"team": "web"}}}
	if _, err := core.Namespaces().Create(t.Context(), theirs, metav1.CreateOptions{FieldManager: "kubectl-create"}); err != nil {
		t.Fatal(err)
	}
	data := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "theirs"}}
	if _, err := core.ConfigMaps(w.namespace()).Create(t.Context(), data, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.mustRun(t)
	w.destroy(t, true)
	if !w.has(t, "theirs") || w.has(t, "settings") {
		t.Error("what others keep in the namespace is gone, or what is ours is not")
	}
	if keys := w.keys(t); len(keys) > 0 {
		t.Errorf("purge left %v", keys)
	}
}

// A second environment with the same add-on on the same cluster is refused by the
// name of the first, and takes nothing from it, neither now nor by its destroy.
func sharedCluster(t *testing.T, w *world) {
	w.mustRun(t)
	before := w.metas(t)
	second := newWorld(t, w.servers, "second")
	second.addon(t, "demo", "tokens: [{name: admin, kind: password, length: 32}]", w.namespace())
	err := second.run(t, second.hold(t))
	if err == nil || !strings.Contains(err.Error(), "environment "+w.name) || hint.Of(err) == "" {
		t.Errorf("error %v, hint %q", err, hint.Of(err))
	}
	second.destroy(t, true)
	for kind, meta := range w.metas(t) {
		if meta.ResourceVersion != before[kind].ResourceVersion {
			t.Errorf("the %s was written", kind)
		}
	}
	if !slices.Contains(namespaces(t, w.client), w.namespace()) {
		t.Error("the namespace is gone")
	}
}
