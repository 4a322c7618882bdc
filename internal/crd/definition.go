// SPDX-License-Identifier: Apache-2.0

package crd

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// Definition is a CustomResourceDefinition, read so that objects can be checked by
// it. It may be used side by side.
type Definition struct {
	kind       schema.GroupKind
	namespaced bool
	versions   map[string]*version
}

type version struct {
	served bool
	schema *spec.Schema
	lax    bool // any unknown field is kept
}

// GroupKind is what it defines.
func (d *Definition) GroupKind() schema.GroupKind { return d.kind }

// Namespaced reports whether its objects are in namespaces.
func (d *Definition) Namespaced() bool { return d.namespaced }

// raw is what of a definition is looked at.
type raw struct {
	Spec struct {
		Group                 string
		Scope                 string
		Names                 struct{ Kind, Plural string }
		PreserveUnknownFields bool
		Versions              []struct {
			Name   string
			Served bool
			Schema struct {
				OpenAPIV3Schema *spec.Schema
			}
		}
	}
}

// Parse reads a CustomResourceDefinition of apiextensions.k8s.io/v1.
func Parse(u *unstructured.Unstructured) (*Definition, error) {
	if gvk := u.GroupVersionKind(); gvk.Kind != "CustomResourceDefinition" || gvk.Group != "apiextensions.k8s.io" {
		return nil, fmt.Errorf("%s %s is no CustomResourceDefinition", u.GetKind(), u.GetName())
	}
	text, err := json.Marshal(u.Object)
	if err != nil {
		return nil, fmt.Errorf("reading CustomResourceDefinition %s: %w", u.GetName(), err)
	}
	var r raw
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("reading CustomResourceDefinition %s: %w", u.GetName(), err)
	}
	d := &Definition{
		kind:       schema.GroupKind{Group: r.Spec.Group, Kind: r.Spec.Names.Kind},
		namespaced: r.Spec.Scope == "Namespaced",
		versions:   make(map[string]*version, len(r.Spec.Versions)),
	}
	switch {
	case d.kind.Group == "" || d.kind.Kind == "" || r.Spec.Names.Plural == "":
		return nil, fmt.Errorf("CustomResourceDefinition %s: spec.group, spec.names.kind and spec.names.plural are required", u.GetName())
	case r.Spec.Scope != "Namespaced" && r.Spec.Scope != "Cluster":
		return nil, fmt.Errorf("CustomResourceDefinition %s: spec.scope: must be Namespaced or Cluster, not %q", u.GetName(), r.Spec.Scope)
	}
	for i, v := range r.Spec.Versions {
		read := &version{served: v.Served, schema: v.Schema.OpenAPIV3Schema, lax: r.Spec.PreserveUnknownFields}
		if read.schema == nil {
			read.schema, read.lax = &spec.Schema{}, true
		}
		if err := prepare(read.schema, 0); err != nil {
			return nil, fmt.Errorf("CustomResourceDefinition %s: spec.versions[%d].schema.openAPIV3Schema: %w", u.GetName(), i, err)
		}
		d.versions[v.Name] = read
	}
	return d, nil
}
