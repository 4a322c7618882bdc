// SPDX-License-Identifier: Apache-2.0

package app

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/kube"
)

// notOurs refuses an object that another environment put into the same cluster:
// all environments share one field manager, so the API server would see no
// conflict.
func (s *Session) notOurs(live *unstructured.Unstructured) error {
	owner, labelled := live.GetLabels()[addon.LabelEnvironment]
	if !labelled || owner == s.Name() {
		return nil
	}
	return hint.With(fmt.Errorf("%s belongs to the environment %s in the same cluster", kube.RefOf(live), owner),
		"check spec.cluster; two environments with the same add-ons cannot share a cluster")
}

// deletable reports whether an object that a release named may be deleted: it
// carries this environment's label, and, if it is a namespace, nobody else had a
// hand in it. A namespace that was there before, or that others keep things in
// and manage, stays.
func (s *Session) deletable(live *unstructured.Unstructured) bool {
	if live.GetLabels()[addon.LabelEnvironment] != s.Name() {
		return false
	}
	if live.GetKind() != "Namespace" {
		return true
	}
	for _, entry := range live.GetManagedFields() {
		if entry.Manager != kube.Manager && entry.Subresource == "" {
			return false
		}
	}
	return true
}
