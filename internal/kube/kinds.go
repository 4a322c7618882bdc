// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// resource is where the objects of a kind are served.
type resource struct {
	gvr        schema.GroupVersionResource
	namespaced bool
	status     bool // it has a status of its own, written apart from the spec
}

type discoverFunc func(context.Context) (*metav1.APIGroupList, map[schema.GroupVersion]*metav1.APIResourceList, map[schema.GroupVersion]error, error)

// kinds maps kinds to resources. It asks the server at first use (two requests,
// by aggregated discovery) and again only when a kind is not found.
type kinds struct {
	discover discoverFunc
	mu       sync.Mutex
	loaded   bool
	known    map[schema.GroupVersionKind]resource
	failed   map[schema.GroupVersion]error // an aggregated API whose server does not answer
}

// resolve answers for every kind that is served; one that is absent from the
// answer is not served now.
func (k *kinds) resolve(ctx context.Context, gvks []schema.GroupVersionKind) (map[schema.GroupVersionKind]resource, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	fresh := false
	for {
		found := make(map[schema.GroupVersionKind]resource, len(gvks))
		for _, gvk := range gvks {
			if r, ok := k.known[gvk]; ok {
				found[gvk] = r
			} else if err := k.failed[gvk.GroupVersion()]; err != nil && fresh {
				return nil, fmt.Errorf("API %s does not answer: %w", gvk.GroupVersion(), err)
			}
		}
		if fresh || (k.loaded && len(found) == len(gvks)) {
			return found, nil
		}
		if err := k.load(ctx); err != nil {
			return nil, err
		}
		fresh = true
	}
}

// locate is resolve for objects that may be there already: a kind that is not served at
// the version that is asked for is found at another one, whichever.
func (k *kinds) locate(ctx context.Context, gvks []schema.GroupVersionKind) (map[schema.GroupVersionKind]resource, error) {
	found := k.atAnyVersion(gvks)
	if len(found) == len(gvks) {
		return found, nil
	}
	if _, err := k.resolve(ctx, gvks); err != nil {
		return nil, err
	}
	found = k.atAnyVersion(gvks)
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, gvk := range gvks {
		for gv, err := range k.failed {
			if _, ok := found[gvk]; !ok && gv.Group == gvk.Group {
				return nil, fmt.Errorf("API %s does not answer: %w", gv, err)
			}
		}
	}
	return found, nil
}

func (k *kinds) atAnyVersion(gvks []schema.GroupVersionKind) map[schema.GroupVersionKind]resource {
	found := make(map[schema.GroupVersionKind]resource, len(gvks))
	for _, gvk := range gvks {
		k.mu.Lock()
		r, ok := k.known[gvk]
		k.mu.Unlock()
		if !ok {
			r, ok = k.another(gvk.GroupKind())
		}
		if ok {
			found[gvk] = r
		}
	}
	return found
}

// forget takes out a version that is not served any more.
func (k *kinds) forget(gvk schema.GroupVersionKind) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.known, gvk)
}

func (k *kinds) load(ctx context.Context) error {
	groups, lists, failed, err := k.discover(ctx)
	if err != nil {
		return fmt.Errorf("asking for the kinds that are served: %w", err)
	}
	if groups != nil && lists == nil {
		return fmt.Errorf("the API server does not offer aggregated discovery (Kubernetes 1.27 or later does)")
	}
	known := make(map[schema.GroupVersionKind]resource, 128)
	for gv, list := range lists {
		withStatus := make(map[string]bool)
		for _, r := range list.APIResources {
			if parent, sub, _ := strings.Cut(r.Name, "/"); sub == "status" {
				withStatus[parent] = true
			}
		}
		for _, r := range list.APIResources {
			if strings.Contains(r.Name, "/") {
				continue
			}
			known[gv.WithKind(r.Kind)] = resource{gvr: gv.WithResource(r.Name), namespaced: r.Namespaced, status: withStatus[r.Name]}
		}
	}
	k.known, k.failed, k.loaded = known, failed, true
	return nil
}

// learn adds the kinds of a CustomResourceDefinition, so that its objects can be
// addressed before discovery lists them.
func (k *kinds) learn(crd *unstructured.Unstructured) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known == nil {
		k.known = make(map[schema.GroupVersionKind]resource)
	}
	for gvk, r := range kindsOf(crd) {
		k.known[gvk] = r
	}
}

// kindsOf reads what a CustomResourceDefinition will serve.
func kindsOf(crd *unstructured.Unstructured) map[schema.GroupVersionKind]resource {
	group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
	kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
	plural, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "plural")
	scope, _, _ := unstructured.NestedString(crd.Object, "spec", "scope")
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	served := make(map[schema.GroupVersionKind]resource, len(versions))
	for _, v := range versions {
		version, ok := v.(map[string]any)
		if !ok || version["served"] == false {
			continue
		}
		name, _ := version["name"].(string)
		_, status, _ := unstructured.NestedMap(version, "subresources", "status")
		gv := schema.GroupVersion{Group: group, Version: name}
		served[gv.WithKind(kind)] = resource{gvr: gv.WithResource(plural), namespaced: scope == "Namespaced", status: status}
	}
	return served
}
