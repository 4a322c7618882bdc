// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// All objects of a kind are listed, of every namespace; a kind that is not served
// has none.
func TestList(t *testing.T) {
	c, err := Connect(Config{Kubeconfig: testKubeconfig(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, namespace := range []string{"list-one", "list-two"} {
		mustApply(t, c, parse(t, namespace, `
apiVersion: v1
kind: Namespace
metadata: {name: NS}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: NS}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}
`))
	}
	all, err := c.List(t.Context(), schema.GroupVersionKind{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range all {
		got = append(got, o.GetKind()+" "+o.GetNamespace()+"/"+o.GetName())
	}
	for _, want := range []string{"Ingress list-one/web", "Ingress list-two/web"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not among %v", want, got)
		}
	}
	none, err := c.List(t.Context(), schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRoute"})
	if err != nil || len(none) > 0 {
		t.Errorf("of a kind that is not served: %v, %v", none, err)
	}
}
