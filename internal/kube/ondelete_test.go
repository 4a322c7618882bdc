// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Where somebody else restarts pods, those that wait for it are theirs to wait for:
// all others have to be ready, and none counts before it is there.
func TestPodsThatWaitForTheirRestartAreLeftToIt(t *testing.T) {
	type counts struct{ there, updated, ready int64 }
	for name, c := range map[string]struct {
		strategy string
		counts
		ready bool
	}{
		"new, no pod yet":                    {"OnDelete", counts{0, 0, 0}, false},
		"all ready":                          {"OnDelete", counts{3, 3, 3}, true},
		"one of the new revision is ill":     {"OnDelete", counts{3, 3, 2}, false},
		"all wait, one is ill":               {"OnDelete", counts{3, 0, 2}, true},
		"one waits and is ill":               {"OnDelete", counts{3, 2, 2}, true},
		"one waits, and more than it is ill": {"OnDelete", counts{3, 2, 1}, false},
		"one is being made anew":             {"OnDelete", counts{2, 2, 2}, false},
		"nobody else restarts":               {"RollingUpdate", counts{3, 0, 2}, false},
	} {
		set := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apps/v1", "kind": "StatefulSet",
			"metadata": map[string]any{"name": "x", "namespace": "y", "generation": int64(2)},
			"spec":     map[string]any{"replicas": int64(3), "updateStrategy": map[string]any{"type": c.strategy}},
			"status": map[string]any{
				"observedGeneration": int64(2), "replicas": c.there, "updatedReplicas": c.updated, "readyReplicas": c.counts.ready,
				"currentRevision": "a", "updateRevision": "b",
			},
		}}
		if got := judge(set, true); got.ready != c.ready {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
