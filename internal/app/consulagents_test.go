// SPDX-License-Identifier: Apache-2.0

package app

import (
	"reflect"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/release"
)

// Agents are those of the release's own workloads, of pods of before the label too;
// a pod with the label somewhere else is nobody's.
func TestAgentsAreThoseOfTheRelease(t *testing.T) {
	object := func(kind string, spec map[string]any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"name": "x", "namespace": "shop"}, "spec": spec,
		}}
	}
	labelled := map[string]any{"metadata": map[string]any{"labels": map[string]any{agentLabel: "8500", "app": "shop"}}}
	selector := map[string]any{"matchLabels": map[string]any{"b": "2", "a": "1"}}
	parts := []release.Part{{Addon: "shop", Objects: []*unstructured.Unstructured{
		object("Deployment", map[string]any{"selector": selector, "template": labelled}),
		object("Deployment", map[string]any{"selector": selector, "template": map[string]any{}}),
		object("StatefulSet", map[string]any{"selector": map[string]any{}, "template": labelled}), // it would be every pod
		{Object: map[string]any{"kind": "Pod", "metadata": map[string]any{"labels": map[string]any{agentLabel: "8500"}, "namespace": "shop"}}},
	}}}
	want := []agentWorkload{{"shop", "a=1,b=2", 8500}}
	if got := agentWorkloads(parts); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}
