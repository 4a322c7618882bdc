// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"cmp"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Ref names one object. UID is a precondition where it is known.
type Ref struct {
	APIVersion, Kind, Namespace, Name string
	UID                               string
}

// RefOf names u.
func RefOf(u *unstructured.Unstructured) Ref {
	return Ref{
		APIVersion: u.GetAPIVersion(), Kind: u.GetKind(), Namespace: u.GetNamespace(), Name: u.GetName(),
		UID: string(u.GetUID()),
	}
}

// String is "Deployment demo/web", or "Namespace demo" for what has no namespace.
func (r Ref) String() string {
	if r.Namespace == "" {
		return r.Kind + " " + r.Name
	}
	return r.Kind + " " + r.Namespace + "/" + r.Name
}

func (r Ref) gvk() schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(r.APIVersion, r.Kind)
}

// key is the identity of an object whatever version its manifest names.
type key struct{ group, kind, namespace, name string }

func (r Ref) key() key {
	return key{r.gvk().Group, r.Kind, r.Namespace, r.Name}
}

func compareRefs(a, b Ref) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}
