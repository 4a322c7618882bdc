// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// List reads all objects of a kind, in all namespaces; none when the kind is not
// served.
func (c *Cluster) List(ctx context.Context, kind schema.GroupVersionKind) ([]*unstructured.Unstructured, error) {
	served, err := c.kinds.resolve(ctx, []schema.GroupVersionKind{kind})
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", kind.Kind, err)
	}
	at, ok := served[kind]
	if !ok {
		return nil, nil
	}
	items, err := c.list(ctx, &collection{resource: at}, "")
	all := make([]*unstructured.Unstructured, len(items))
	for i := range items {
		all[i] = &items[i]
	}
	return all, err
}
