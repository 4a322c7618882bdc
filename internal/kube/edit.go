// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"clusterup.dev/clusterup/internal/converge"
)

// Edit changes some fields of an object that is not ours as a whole, by a merge
// patch: {"data": {"a.conf": "x"}}. It ends with converge.ErrStale when the
// object is not there or no longer has this resourceVersion; "" is any.
func (c *Cluster) Edit(ctx context.Context, r Ref, version string, fields map[string]any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	served, err := c.kinds.locate(ctx, []schema.GroupVersionKind{r.gvk()})
	if err != nil {
		return fmt.Errorf("editing %s: %w", r, err)
	}
	res, ok := served[r.gvk()]
	if !ok {
		return fmt.Errorf("editing %s: its kind is not served: %w", r, converge.ErrStale)
	}
	body := fields
	if version != "" {
		body = map[string]any{"metadata": map[string]any{"resourceVersion": version}}
		for name, value := range fields {
			body[name] = value
		}
	}
	patch, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("editing %s: %w", r, err)
	}
	_, err = c.client(res, r.Namespace).Patch(ctx, r.Name, types.MergePatchType, patch,
		metav1.PatchOptions{FieldManager: c.editor, FieldValidation: metav1.FieldValidationStrict})
	switch {
	case apierrors.IsConflict(err), apierrors.IsNotFound(err):
		return fmt.Errorf("editing %s: %w", r, converge.ErrStale)
	case err != nil:
		return explain(r, err)
	}
	return nil
}
