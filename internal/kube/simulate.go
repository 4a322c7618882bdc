// SPDX-License-Identifier: Apache-2.0

package kube

import (
	quantity "k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/fieldpath"
)

// simulated is what live would become if wanted were applied, as far as that can be
// known without the server: for plans that it cannot, or will not, make a dry-run of.
// What we hold and no longer want goes; what others hold, and defaults, stay.
func simulated(live, wanted *unstructured.Unstructured) *unstructured.Unstructured {
	own := ownFields(live)
	merged, _ := merge(live.Object, wanted.Object, own, own != nil, "").(map[string]any)
	after := &unstructured.Unstructured{Object: merged}
	for _, name := range serverFields {
		if value, there, _ := unstructured.NestedFieldCopy(live.Object, "metadata", name); there {
			_ = unstructured.SetNestedField(after.Object, value, "metadata", name)
		}
	}
	return after
}

// merge lays wanted over live; held are our fields of live, if mine says that there
// are some, and key is where the value stands.
func merge(live, wanted any, held map[string]any, mine bool, key string) any {
	switch wanted := wanted.(type) {
	case map[string]any:
		if live, ok := live.(map[string]any); ok {
			return mergeMaps(live, wanted, held, mine, key)
		}
	case []any:
		if live, ok := live.([]any); ok {
			return mergeLists(live, wanted, held, mine)
		}
	case string:
		if live, ok := live.(string); ok && (key == "requests" || key == "limits") && sameQuantity(live, wanted) {
			return live
		}
	}
	return wanted
}

func mergeMaps(live, wanted, held map[string]any, mine bool, key string) map[string]any {
	merged := make(map[string]any, len(live))
	for name, value := range live {
		set, ours := childOf(held, mine, pathStep{key: name})
		if new, there := wanted[name]; there {
			at := name
			if _, scalar := new.(string); scalar {
				at = key
			}
			merged[name] = merge(value, new, set, ours, at)
		} else if !ours {
			merged[name] = value
		}
	}
	for name, value := range wanted {
		if _, there := live[name]; !there {
			merged[name] = value
		}
	}
	return merged
}

func mergeLists(live, wanted []any, held map[string]any, mine bool) []any {
	name := itemKey(live, wanted)
	if name == "" {
		if len(live) != len(wanted) {
			return wanted
		}
		merged := make([]any, len(wanted))
		for i := range wanted {
			merged[i] = merge(live[i], wanted[i], nil, false, "")
		}
		return merged
	}
	merged := make([]any, 0, len(wanted))
	for _, item := range wanted {
		step := fieldpath.Step{Item: true, Key: name, Is: fieldpath.Text(item.(map[string]any)[name])}
		if i := step.At(live); i >= 0 {
			set, ours := childOf(held, mine, pathStep{index: i, item: live[i]})
			item = merge(live[i], item, set, ours, "")
		}
		merged = append(merged, item)
	}
	for i, item := range live {
		step := fieldpath.Step{Item: true, Key: name, Is: fieldpath.Text(item.(map[string]any)[name])}
		if _, ours := childOf(held, mine, pathStep{index: i, item: item}); !ours && step.At(wanted) < 0 {
			merged = append(merged, item)
		}
	}
	return merged
}

// childOf is our part of a field set below a step, and whether there is any.
func childOf(set map[string]any, mine bool, step pathStep) (map[string]any, bool) {
	switch {
	case !mine:
		return nil, false
	case whole(set):
		return nil, true
	}
	return child(set, step)
}

func sameQuantity(a, b string) bool {
	x, err := quantity.ParseQuantity(a)
	if err != nil {
		return false
	}
	y, err := quantity.ParseQuantity(b)
	return err == nil && x.Cmp(y) == 0
}
