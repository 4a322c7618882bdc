// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Whatever shape a route has: it never claims against itself, and beside its copy
// each double has both of them.
func FuzzDoubles(f *testing.F) {
	for _, seed := range []string{
		"kind: Ingress\nmetadata: {name: a}\nspec: {rules: [{http: {paths: [{path: //}]}}], defaultBackend: {}}",
		"kind: HTTPRoute\nmetadata: {name: a, namespace: ingress}\nspec: {parentRefs: [{name: default}], rules: [{matches: [{path: {type: ' '}, headers: [1]}]}]}",
		"spec: {rules: [{matches: 1}], parentRefs: [{port: a}], hostnames: [1]}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o := map[string]any{}
		if err := yaml.Unmarshal([]byte(text), &o); err != nil || o == nil {
			return
		}
		one := &unstructured.Unstructured{Object: whole(o).(map[string]any)}
		gateways := of(t, gateways, "Gateway")
		alone := []*unstructured.Unstructured{one}
		for _, d := range append(findDoubles("traefik", alone, gateways, nil), findDoubles("traefik", nil, gateways, alone)...) {
			t.Errorf("alone: %s", d)
		}
		copied := one.DeepCopy()
		copied.SetName(one.GetName() + "-copy")
		both := []*unstructured.Unstructured{one, copied}
		for _, d := range append(findDoubles("traefik", both, gateways, nil), findDoubles("traefik", nil, gateways, both)...) {
			if len(d.By) != 2 {
				t.Errorf("beside its copy: %s", d)
			}
		}
	})
}
