// SPDX-License-Identifier: Apache-2.0

package app

import (
	"errors"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/converge"
)

// Which revision is wanted is not known before the controller has seen the last
// change: until then no pod is called out of date, or up to date.
func TestWantedRevision(t *testing.T) {
	set := func(seen int64, revision string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"metadata": map[string]any{"generation": int64(2)},
			"spec":     map[string]any{"selector": map[string]any{"matchLabels": map[string]any{"b": "2", "a": "1"}}},
			"status":   map[string]any{"observedGeneration": seen, "updateRevision": revision},
		}}
	}
	pods := statefulPods{namespace: "consul", name: "consul-server"}
	for name, early := range map[string]*unstructured.Unstructured{"absent": nil, "not seen": set(1, "x"), "no revision": set(2, "")} {
		if _, _, err := pods.wanted(early); !errors.Is(err, converge.ErrNotYet) {
			t.Errorf("%s: %v", name, err)
		}
	}
	revision, selector, err := pods.wanted(set(2, "x"))
	if revision != "x" || selector != "a=1,b=2" || err != nil {
		t.Errorf("%q, %q, %v", revision, selector, err)
	}
}
