// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"encoding/json"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// managerEntry is one entry of managedFields. Its fields are those of the object itself:
// they are read and not written.
type managerEntry struct {
	manager, operation, subresource, time string
	fields                                map[string]any
}

func managerEntries(u *unstructured.Unstructured) []managerEntry {
	metadata, _ := u.Object["metadata"].(map[string]any)
	raw, _ := metadata["managedFields"].([]any)
	entries := make([]managerEntry, 0, len(raw))
	for _, item := range raw {
		m, ok := item.(map[string]any)
		if !ok {
			continue
		}
		e := managerEntry{}
		e.manager, _ = m["manager"].(string)
		e.operation, _ = m["operation"].(string)
		e.subresource, _ = m["subresource"].(string)
		e.time, _ = m["time"].(string)
		e.fields, _ = m["fieldsV1"].(map[string]any)
		entries = append(entries, e)
	}
	return entries
}

// ownFields is the set of fields that we have applied to u; nil when none.
func ownFields(u *unstructured.Unstructured) map[string]any {
	for _, e := range managerEntries(u) {
		if e.manager == Manager && e.operation == "Apply" && e.subresource == "" {
			return e.fields
		}
	}
	return nil
}

// writer says who wrote the field at path, and when: the latest of its managers,
// others before ourselves. It is "" when nobody claims the field.
func writer(entries []managerEntry, path []pathStep) string {
	var best *managerEntry
	for i, e := range entries {
		if !owns(e.fields, path) {
			continue
		}
		ours, bestOurs := e.manager == Manager, best != nil && best.manager == Manager
		if best == nil || (bestOurs && !ours) || (ours == bestOurs && e.time > best.time) {
			best = &entries[i]
		}
	}
	switch {
	case best == nil:
		return ""
	case best.time == "":
		return best.manager
	}
	return best.manager + " at " + best.time
}

// owns reports whether the field set holds path or an atomic value around it.
func owns(fields map[string]any, path []pathStep) bool {
	if len(fields) == 0 {
		return false
	}
	for _, step := range path {
		if len(fields) == 0 {
			return true
		}
		next, ok := child(fields, step)
		if !ok {
			return false
		}
		fields = next
	}
	return true
}

// child follows one step in a field set: "f:" names a key, "k:" an item by some
// of its fields, "v:" an item by its value, "i:" by its index.
func child(fields map[string]any, step pathStep) (map[string]any, bool) {
	if step.key != "" {
		next, ok := fields["f:"+step.key].(map[string]any)
		return next, ok
	}
	for name, value := range fields {
		next, ok := value.(map[string]any)
		kind, text, _ := strings.Cut(name, ":")
		var want any
		if !ok || json.Unmarshal([]byte(text), &want) != nil {
			continue
		}
		switch kind {
		case "k":
			if hasFields(step.item, want) {
				return next, true
			}
		case "v":
			if reflect.DeepEqual(jsonNumber(step.item), want) {
				return next, true
			}
		case "i":
			if want == float64(step.index) {
				return next, true
			}
		}
	}
	return nil, false
}

func hasFields(item, want any) bool {
	have, ok := item.(map[string]any)
	keys, isKeys := want.(map[string]any)
	if !ok || !isKeys {
		return false
	}
	for name, value := range keys {
		if !reflect.DeepEqual(jsonNumber(have[name]), value) {
			return false
		}
	}
	return true
}

func jsonNumber(v any) any {
	if n, ok := v.(int64); ok {
		return float64(n)
	}
	return v
}
