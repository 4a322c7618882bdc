// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

// fewMissing is up to how many absent objects of a kind are asked for one by one.
const fewMissing = 8

// live reads what exists of objects: one LIST a kind by the labels that they
// share, and a GET for those that it does not show, which may have lost them.
func (c *Cluster) live(ctx context.Context, objects []*object) (map[key]*unstructured.Unstructured, error) {
	found := make(map[key]*unstructured.Unstructured, len(objects))
	var mu sync.Mutex
	err := each(ctx, collect(objects), func(ctx context.Context, _ int, col *collection) error {
		missing := col.objects
		if len(col.objects) > 1 && col.selector != "" {
			items, err := c.list(ctx, col)
			if err != nil {
				return err
			}
			mu.Lock()
			missing = col.pick(items, found)
			mu.Unlock()
		}
		if len(missing) > fewMissing {
			var err error
			if missing, err = c.named(ctx, col, missing); err != nil {
				return err
			}
		}
		return each(ctx, missing, func(ctx context.Context, _ int, o *object) error {
			u, err := c.get(ctx, o)
			if u != nil {
				mu.Lock()
				found[o.key()] = u
				mu.Unlock()
			}
			return err
		})
	})
	return found, err
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

func (c *Cluster) list(ctx context.Context, col *collection) ([]unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	list, err := c.client(col.resource, col.namespace).List(ctx, metav1.ListOptions{LabelSelector: col.selector})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("listing %s: %w", col.resource.gvr.Resource, err)
	}
	return list.Items, nil
}

// named keeps those of missing that exist under whatever labels, by names alone.
func (c *Cluster) named(ctx context.Context, col *collection, missing []*object) ([]*object, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	list, err := c.metadata.Resource(col.resource.gvr).Namespace(col.namespace).List(ctx, metav1.ListOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("listing %s: %w", col.resource.gvr.Resource, err)
	}
	type place struct{ namespace, name string }
	there := make(map[place]bool, len(list.Items))
	for _, item := range list.Items {
		there[place{item.Namespace, item.Name}] = true
	}
	var left []*object
	for _, o := range missing {
		if there[place{o.Namespace, o.Name}] {
			left = append(left, o)
		}
	}
	return left, nil
}
