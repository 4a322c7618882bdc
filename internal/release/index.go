// SPDX-License-Identifier: Apache-2.0

package release

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	apiVersion = "clusterup.dev/v1alpha1"
	kind       = "Release"
)

// Index is what a release consists of, and says nothing about who made it or
// when: those belong to the journal of the run.
type Index struct {
	APIVersion  string  `json:"apiVersion"`
	Kind        string  `json:"kind"`
	Environment string  `json:"environment"`
	Addons      []Entry `json:"addons"`
}

// Entry is one add-on of an index.
type Entry struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Rules   Rules  `json:"rules,omitzero"`
	// Objects is the SHA-256 of the part in clear; empty when there is none.
	Objects string `json:"objects,omitempty"`
	// Secrets is the HMAC-SHA256 of the sealed part before sealing.
	Secrets string `json:"secrets,omitempty"`
	// Inventory lists the objects of both in the order of applying.
	Inventory []Item `json:"inventory"`
}

// Item is one object of an inventory.
type Item struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
	// Tokens are the keys of the data of a Secret or a ConfigMap whose values come
	// from tokens; in a ConfigMap, from their public halves.
	Tokens []string `json:"tokens,omitempty"`
}

// Ref is an object of the cluster and the add-on that it belongs to.
type Ref struct {
	APIVersion, Kind, Namespace, Name, Addon string
}

// Title is "demo/settings", or the name alone outside namespaces.
func (r Ref) Title() string {
	if r.Namespace == "" {
		return r.Name
	}
	return r.Namespace + "/" + r.Name
}

// RefOf names an object of an add-on.
func RefOf(addon string, u *unstructured.Unstructured) Ref {
	return Ref{APIVersion: u.GetAPIVersion(), Kind: u.GetKind(), Namespace: u.GetNamespace(), Name: u.GetName(), Addon: addon}
}

// Refs lists all objects of the release in the order of applying.
func (r *Release) Refs() []Ref {
	var refs []Ref
	for _, entry := range r.Index.Addons {
		refs = append(refs, entry.refs()...)
	}
	return refs
}

func (e Entry) refs() []Ref {
	refs := make([]Ref, len(e.Inventory))
	for i, item := range e.Inventory {
		refs[i] = e.ref(item)
	}
	return refs
}

func (e Entry) ref(item Item) Ref {
	return Ref{item.APIVersion, item.Kind, item.Namespace, item.Name, e.Name}
}

// identity is what two versions of one API agree on.
func (r Ref) identity() Ref {
	group, _, found := strings.Cut(r.APIVersion, "/")
	if !found {
		group = ""
	}
	return Ref{APIVersion: group, Kind: r.Kind, Namespace: r.Namespace, Name: r.Name}
}
