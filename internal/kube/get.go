// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Get reads one object; nil when it, or its kind, is not there.
func (c *Cluster) Get(ctx context.Context, r Ref) (*unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	served, err := c.kinds.resolve(ctx, []schema.GroupVersionKind{r.gvk()})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", r, err)
	}
	res, ok := served[r.gvk()]
	if !ok {
		return nil, nil
	}
	return c.get(ctx, &object{Ref: r, resource: res})
}
