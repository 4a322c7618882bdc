// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Get reads one object; nil when it, or its kind, is not there. An object whose version
// is not served any more is read at another one of its kind.
func (c *Cluster) Get(ctx context.Context, r Ref) (*unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var last error
	for range maxVersions {
		served, err := c.kinds.locate(ctx, []schema.GroupVersionKind{r.gvk()})
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", r, err)
		}
		res, ok := served[r.gvk()]
		if !ok {
			return nil, nil
		}
		live, err := c.client(res, r.Namespace).Get(ctx, r.Name, metav1.GetOptions{})
		switch {
		case err == nil:
			return live, nil
		case !apierrors.IsNotFound(err):
			return nil, fmt.Errorf("reading %s: %w", r, err)
		case !apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse):
			return nil, nil // the resource is served, and has no such object
		}
		last = err
		c.kinds.forget(res.gvr.GroupVersion().WithKind(r.Kind)) // taken out since the server was asked
	}
	return nil, fmt.Errorf("reading %s: its kind is said to be served and is not: %w", r, last)
}

// maxVersions is how many versions of a kind are tried that turn out not to be served.
const maxVersions = 5
