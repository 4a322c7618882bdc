// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// sight is what a survey found of an object; the zero value is that it is not there.
type sight struct {
	live     *unstructured.Unstructured // with its metadata alone where it is as wanted
	asWanted bool
}

// survey looks at objects in a few requests a kind, however many there are. What it
// knows to be as wanted need not be compared.
func (c *Cluster) survey(ctx context.Context, objects []*object, o *Observed) (map[key]sight, error) {
	if o != nil {
		server, err := c.serverVersion(ctx)
		if err != nil {
			return nil, err
		}
		o.served(server, objects)
	}
	seen := make(map[key]sight, len(objects))
	var mu sync.Mutex
	err := each(ctx, collect(objects), func(ctx context.Context, _ int, col *collection) error {
		if o != nil && isCustom(col.objects[0].Ref) {
			if err := c.defined(ctx, col, o); err != nil {
				return err
			}
		}
		unknown := col.objects
		if o != nil && o.knows(col) {
			listed, err := c.listed(ctx, col, col.selector)
			if err != nil {
				return err
			}
			mu.Lock()
			unknown = col.recognise(listed, seen)
			mu.Unlock()
		}
		found, err := c.read(ctx, col, unknown)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		for k, s := range found {
			seen[k] = s
		}
		return nil
	})
	return seen, err
}

// defined reads which definition serves a custom kind; an aggregated API has none.
func (c *Cluster) defined(ctx context.Context, col *collection, o *Observed) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	name, now := col.resource.gvr.GroupResource().String(), ""
	crd, err := c.metadata.Resource(crds).Get(ctx, name, metav1.GetOptions{})
	switch {
	case err == nil:
		now = definition(string(crd.UID), crd.Generation)
	case !apierrors.IsNotFound(err):
		return fmt.Errorf("reading the CustomResourceDefinition %s: %w", name, err)
	}
	o.defined(col.resource, col.objects[0].Kind, now)
	return nil
}

var crds = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// knows reports whether a list of metadata may tell that objects are as wanted. A few
// objects are read as quickly in full.
func (o *Observed) knows(col *collection) bool {
	if len(col.objects) == 1 {
		return false
	}
	for _, one := range col.objects {
		if _, ok := o.get(one.key()); ok {
			return true
		}
	}
	return false
}

// recognise adds to seen what nobody has written to since it was as wanted, and
// gives the other objects.
func (col *collection) recognise(listed map[place]*metav1.PartialObjectMetadata, seen map[key]sight) []*object {
	var unknown []*object
	for _, o := range col.objects {
		meta := listed[o.place()]
		r, ok := o.observed.get(o.key())
		if meta == nil || !ok || meta.DeletionTimestamp != nil ||
			r.uid != string(meta.UID) || r.version != meta.ResourceVersion || r.wanted != o.wantedNow() {
			unknown = append(unknown, o)
			continue
		}
		seen[o.key()] = sight{live: metadataOf(o.Ref, meta), asWanted: true}
	}
	return unknown
}

// metadataOf is what a refusal, or a reference, may be made of.
func metadataOf(r Ref, meta *metav1.PartialObjectMetadata) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": r.APIVersion, "kind": r.Kind}}
	u.SetNamespace(meta.Namespace)
	u.SetName(meta.Name)
	u.SetUID(meta.UID)
	u.SetResourceVersion(meta.ResourceVersion)
	if len(meta.Labels) > 0 {
		u.SetLabels(meta.Labels)
	}
	if len(meta.Annotations) > 0 {
		u.SetAnnotations(meta.Annotations)
	}
	if len(meta.OwnerReferences) > 0 {
		u.SetOwnerReferences(meta.OwnerReferences)
	}
	return u
}
