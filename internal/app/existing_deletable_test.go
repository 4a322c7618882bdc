// SPDX-License-Identifier: Apache-2.0

package app

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"
)

// What an attempt wanted to have and never got, because somebody else manages it, is
// theirs: it is not pruned when the release does not want it any more.
func neverOurs(t *testing.T, w *world) {
	w.mustRun(t)
	theirs := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "theirs"}, Data: map[string]string{"level": "theirs"}}
	if _, err := w.client.CoreV1().ConfigMaps(w.namespace()).Create(t.Context(), theirs, metav1.CreateOptions{FieldManager: "helm"}); err != nil {
		t.Fatal(err)
	}
	w.manifest(t, "demo", "theirs", configMap("theirs"))
	if err := w.run(t, w.hold(t)); err == nil || !strings.Contains(err.Error(), `managed by "helm"`) {
		t.Fatalf("error %v, want the conflict", err)
	}
	s := w.hold(t)
	inventory, err := s.inventoryNow(t.Context())
	s.Close()
	if err != nil || inventory.Settled(w.current(t)) {
		t.Fatalf("the attempt is not remembered: %v", err)
	}
	w.removeManifest(t, "demo", "theirs")
	w.mustRun(t)
	if !w.has(t, "theirs") {
		t.Error("an object that was never ours is gone")
	}
}

const gauge = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gauges.NAME.example.com}
spec:
  group: NAME.example.com
  scope: Namespaced
  names: {kind: Gauge, plural: gauges, singular: gauge, listKind: GaugeList}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`

// A definition that was there before, or of which others have objects, survives the
// pruning, the destroy, and both are said; one that is only ours goes.
func sharedDefinitions(t *testing.T, w *world) {
	client := w.dynamic(t)
	definitions := client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	before, used, own := "before-"+w.name, "used-"+w.name, "own-"+w.name
	w.addon(t, "kinds", "")
	for _, name := range []string{before, used, own} {
		w.manifest(t, "kinds", name, strings.ReplaceAll(gauge, "NAME", name))
	}
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(gauge, "NAME", before)), &u.Object); err != nil {
		t.Fatal(err)
	}
	if _, err := definitions.Create(t.Context(), u, metav1.CreateOptions{FieldManager: "kubectl-create"}); err != nil {
		t.Fatal(err)
	}
	left := func(name string) bool {
		_, err := definitions.Get(t.Context(), "gauges."+name+".example.com", metav1.GetOptions{})
		return err == nil
	}
	want := []string{
		fmt.Sprintf("CustomResourceDefinition gauges.%s.example.com stays: kubectl-create manages it too", before),
		fmt.Sprintf("CustomResourceDefinition gauges.%s.example.com stays: Gauge default/theirs is not of this environment and would go with it", used),
	}
	check := func(how, said string) {
		t.Helper()
		if !left(before) || !left(used) || left(own) {
			t.Errorf("%s: there before: %t, with others' objects: %t, only ours: %t", how, left(before), left(used), left(own))
		}
		for _, line := range want {
			if !strings.Contains(said, line) {
				t.Errorf("%s: nothing says %q", how, line)
			}
		}
	}
	with := func(addons ...string) {
		w.addons = addons
		w.writeEnvironment(t)
	}

	with("demo", "kinds")
	w.mustRun(t)
	object := &unstructured.Unstructured{Object: map[string]any{"apiVersion": used + ".example.com/v1", "kind": "Gauge", "metadata": map[string]any{"name": "theirs", "namespace": "default"}}}
	gauges := client.Resource(schema.GroupVersionResource{Group: used + ".example.com", Version: "v1", Resource: "gauges"}).Namespace("default")
	if _, err := gauges.Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	with("demo")
	notes := w.notes(t)
	w.heard = nil
	w.mustRun(t, allowPrune)
	check("prune", notes)
	check("prune", strings.Join(w.heard, "\n"))

	with("demo", "kinds")
	w.mustRun(t)
	w.heard = nil
	w.destroy(t, true)
	check("destroy", strings.Join(w.heard, "\n"))
	if _, err := gauges.Get(t.Context(), "theirs", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
}

func (w *world) dynamic(t *testing.T) dynamic.Interface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", w.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}
