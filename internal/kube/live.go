// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

// few is up to how many objects of a kind are asked for one by one.
const few = 8

// live reads what exists of objects, in a few requests a kind.
func (c *Cluster) live(ctx context.Context, objects []*object) (map[key]*unstructured.Unstructured, error) {
	seen, err := c.survey(ctx, objects, nil)
	found := make(map[key]*unstructured.Unstructured, len(seen))
	for k, s := range seen {
		found[k] = s.live
	}
	return found, err
}

// read reads in full what exists of objects of one kind: a few one by one, more by
// one LIST by the labels that they share. What that does not show may have lost them.
func (c *Cluster) read(ctx context.Context, col *collection, objects []*object) (map[key]sight, error) {
	found := make(map[key]sight, len(objects))
	all := len(objects) == len(col.objects)
	if col.selector != "" && len(objects) > 1 && (all || len(objects) > few) {
		var err error
		if objects, err = c.pick(ctx, col, col.selector, objects, found); err != nil {
			return nil, err
		}
	}
	if len(objects) > few {
		there, err := c.listed(ctx, col, "")
		if err != nil {
			return nil, err
		}
		objects = slices.DeleteFunc(slices.Clone(objects), func(o *object) bool { return there[o.place()] == nil })
	}
	if len(objects) > few { // they exist, without the labels
		_, err := c.pick(ctx, col, "", objects, found)
		return found, err
	}
	var mu sync.Mutex
	return found, each(ctx, objects, func(ctx context.Context, _ int, o *object) error {
		u, err := c.get(ctx, o)
		if u != nil {
			mu.Lock()
			defer mu.Unlock()
			found[o.key()] = sight{live: u, asWanted: o.stillWanted(u)}
		}
		return err
	})
}

// pick lists by selector, adds those of objects that are there to found and gives
// those that are not.
func (c *Cluster) pick(ctx context.Context, col *collection, selector string, objects []*object, found map[key]sight) (missing []*object, err error) {
	items, err := c.list(ctx, col, selector)
	if err != nil {
		return nil, err
	}
	listed := make(map[place]*unstructured.Unstructured, len(items))
	for i := range items {
		listed[place{items[i].GetNamespace(), items[i].GetName()}] = &items[i]
	}
	for _, o := range objects {
		if u := listed[o.place()]; u != nil {
			found[o.key()] = sight{live: u, asWanted: o.stillWanted(u)}
		} else {
			missing = append(missing, o)
		}
	}
	return missing, nil
}

// client is the place of the object's kind, in its namespace.
func (c *Cluster) client(r resource, namespace string) dynamic.ResourceInterface {
	if !r.namespaced || namespace == "" {
		return c.dynamic.Resource(r.gvr)
	}
	return c.dynamic.Resource(r.gvr).Namespace(namespace)
}

// get reads one object; nil when it, or the kind itself, is not there.
func (c *Cluster) get(ctx context.Context, o *object) (*unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	u, err := c.client(o.resource, o.Namespace).Get(ctx, o.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", o.Ref, err)
	}
	return u, nil
}

func (c *Cluster) list(ctx context.Context, col *collection, selector string) ([]unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	list, err := c.client(col.resource, col.namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("listing %s: %w", col.resource.gvr.Resource, err)
	}
	return list.Items, nil
}

// place is where an object is among those of its kind.
type place struct{ namespace, name string }

func (r Ref) place() place { return place{r.Namespace, r.Name} }

// listed lists the metadata of the objects of one kind.
func (c *Cluster) listed(ctx context.Context, col *collection, selector string) (map[place]*metav1.PartialObjectMetadata, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	list, err := c.metadata.Resource(col.resource.gvr).Namespace(col.namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("listing %s: %w", col.resource.gvr.Resource, err)
	}
	there := make(map[place]*metav1.PartialObjectMetadata, len(list.Items))
	for i := range list.Items {
		there[place{list.Items[i].Namespace, list.Items[i].Name}] = &list.Items[i]
	}
	return there, nil
}
