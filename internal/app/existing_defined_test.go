// SPDX-License-Identifier: Apache-2.0

package app

import (
	"strings"
	"testing"

	"clusterup.dev/clusterup/internal/hint"
)

// A custom resource may be planned before its kind is served where the add-on that
// defines it is needed, itself or through another; where it is not, nothing says that it
// goes first, and the plan is an error that names the way out.
func definedElsewhere(t *testing.T, w *world) {
	w.addons = []string{"demo", "gauges", "between", "user"}
	w.writeEnvironment(t)
	w.addon(t, "gauges", "")
	w.manifest(t, "gauges", "kind", `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gauges.defined.clusterup.dev}
spec:
  group: defined.clusterup.dev
  scope: Namespaced
  names: {kind: Gauge, listKind: GaugeList, plural: gauges, singular: gauge}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}
`)
	w.addon(t, "between", "needs: [gauges]")
	w.manifest(t, "between", "settings", configMap("between"))
	w.addon(t, "user", "needs: [demo]")
	w.manifest(t, "user", "gauge", "{apiVersion: defined.clusterup.dev/v1, kind: Gauge, metadata: {name: one, namespace: "+w.namespace()+"}, spec: {size: 3}}")
	err := w.try(t)
	if err == nil || !strings.Contains(err.Error(), "the cluster does not serve defined.clusterup.dev/v1 Gauge") || !strings.Contains(hint.Of(err), "under needs") {
		t.Errorf("error %v, hint %q", err, hint.Of(err))
	}
	w.addon(t, "user", "needs: [between]")
	w.mustRun(t)
}
