// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"slices"

	"clusterup.dev/clusterup/internal/fieldpath"
)

// pathStep is one step into an object: a key of a map, or an item of a list.
type pathStep struct {
	key   string // "" for an item
	index int
	item  any // the item itself, as it is live
}

// pathString is the path as rules name it, with items by a key where they have one.
func pathString(steps []pathStep) string {
	path := make(fieldpath.Path, len(steps))
	for i, step := range steps {
		path[i] = fieldpath.Step{Key: step.key, Item: step.key == "", Index: step.index}
		if m, ok := step.item.(map[string]any); ok {
			name := itemKey([]any{m})
			path[i].Key, path[i].Is = name, fieldpath.Text(m[name])
		}
	}
	return path.String()
}

// itemKeys are the fields that lists of maps are keyed by in Kubernetes' own types.
var itemKeys = []string{"name", "containerPort", "port", "mountPath", "devicePath", "topologyKey", "key", "type", "ip", "uid"}

func itemKey(lists ...[]any) string {
	for _, name := range itemKeys {
		if slices.ContainsFunc(lists, func(list []any) bool { return !keyedBy(list, name) }) {
			continue
		}
		return name
	}
	return ""
}

func keyedBy(list []any, name string) bool {
	seen := make(map[any]bool, len(list))
	for _, item := range list {
		m, ok := item.(map[string]any)
		if !ok {
			return false
		}
		id := m[name]
		switch id.(type) {
		case string, int64, float64:
		default:
			return false
		}
		if seen[id] {
			return false
		}
		seen[id] = true
	}
	return true
}
