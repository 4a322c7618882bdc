// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Instance names one object of the kind that a live CustomResourceDefinition defines,
// among those that the label selector picks; no name when there is none.
func (c *Cluster) Instance(ctx context.Context, definition *unstructured.Unstructured, selector string) (Ref, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	served := kindsOf(definition)
	for _, gvk := range storedFirst(definition, served) {
		list, err := c.metadata.Resource(served[gvk].gvr).List(ctx, metav1.ListOptions{LabelSelector: selector, Limit: 1})
		switch {
		case apierrors.IsNotFound(err): // not served, whatever the definition says
		case err != nil:
			return Ref{}, fmt.Errorf("looking for a %s: %w", gvk.Kind, err)
		case len(list.Items) == 0:
			return Ref{}, nil
		default:
			one := list.Items[0]
			return Ref{APIVersion: gvk.GroupVersion().String(), Kind: gvk.Kind, Namespace: one.Namespace, Name: one.Name, UID: string(one.UID)}, nil
		}
	}
	return Ref{}, nil
}

// storedFirst orders the kinds of a definition: reading the version that is stored
// needs no conversion, and so no webhook that is perhaps gone.
func storedFirst(definition *unstructured.Unstructured, served map[schema.GroupVersionKind]resource) []schema.GroupVersionKind {
	versions, _, _ := unstructured.NestedSlice(definition.Object, "spec", "versions")
	stored := ""
	for _, v := range versions {
		if version, ok := v.(map[string]any); ok && version["storage"] == true {
			stored, _ = version["name"].(string)
		}
	}
	var order []schema.GroupVersionKind
	for gvk := range served {
		if gvk.Version == stored {
			order = slices.Insert(order, 0, gvk)
		} else {
			order = append(order, gvk)
		}
	}
	return order
}
