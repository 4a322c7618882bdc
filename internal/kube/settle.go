// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// settleFor is how long a workload that has no readiness probe has to stay ready: its
// containers count as ready from the moment that they are started, and one
// that is about to crash does so at once.
const settleFor = 2 * time.Second

// settling remembers since when such workloads are ready.
type settling map[types.UID]time.Time

// done reports whether all that needs to settle has done so. Call it at every look
// with what is ready: what is missing from one of them begins anew.
func (s settling) done(there []*unstructured.Unstructured, now time.Time) bool {
	is := make(map[types.UID]bool, len(there))
	settled := true
	for _, u := range there {
		if !unprobed(u) {
			continue
		}
		is[u.GetUID()] = true
		if _, known := s[u.GetUID()]; !known {
			s[u.GetUID()] = now
		}
		settled = settled && now.Sub(s[u.GetUID()]) >= settleFor
	}
	for uid := range s {
		if !is[uid] {
			delete(s, uid)
		}
	}
	return settled
}

// unprobed reports whether u runs pods with a container that has no readiness probe.
func unprobed(u *unstructured.Unstructured) bool {
	switch u.GetKind() {
	case "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet":
	default:
		return false
	}
	containers, _, _ := unstructured.NestedSlice(u.Object, "spec", "template", "spec", "containers")
	for _, item := range containers {
		if c, ok := item.(map[string]any); ok && c["readinessProbe"] == nil {
			return true
		}
	}
	return false
}
