// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// pathStep is one step into an object: a key of a map, or an item of a list.
type pathStep struct {
	key   string // "" for an item
	index int
	item  any // the item itself, as it is live
}

// pathString is "spec.containers[name=web].image"; a key that is no plain word is quoted.
func pathString(path []pathStep) string {
	var b strings.Builder
	for i, step := range path {
		switch {
		case step.key == "":
			b.WriteString(itemString(step))
		case strings.ContainsAny(step.key, `./[]" `):
			fmt.Fprintf(&b, "[%q]", step.key)
		default:
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(step.key)
		}
	}
	return b.String()
}

func itemString(step pathStep) string {
	if m, ok := step.item.(map[string]any); ok {
		if name := itemKey([]any{m}); name != "" {
			return fmt.Sprintf("[%s=%v]", name, m[name])
		}
	}
	return fmt.Sprintf("[%d]", step.index)
}

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
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
