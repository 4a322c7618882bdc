// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"maps"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/fieldpath"
)

// serverFields are under metadata and written by the server alone.
var serverFields = []string{"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"}

// lastApplied is kubectl's copy of a whole manifest, secrets included.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// differences lists what differs between the live object and what it would become,
// and who wrote what is there. Secret values are masked.
func differences(live, after *unstructured.Unstructured) []converge.Field {
	d := differ{secret: isSecret(RefOf(live)), entries: managerEntries(live)}
	for _, name := range union(live.Object, after.Object) {
		switch name {
		case "apiVersion", "kind", "status":
		case "metadata":
			d.maps([]pathStep{{key: name}}, withoutServerFields(live), withoutServerFields(after))
		default:
			d.value([]pathStep{{key: name}}, live.Object[name], after.Object[name])
		}
	}
	return d.fields
}

func withoutServerFields(u *unstructured.Unstructured) map[string]any {
	metadata, _ := u.Object["metadata"].(map[string]any)
	kept := maps.Clone(metadata)
	for _, name := range serverFields {
		delete(kept, name)
	}
	return kept
}

type differ struct {
	secret  bool
	entries []managerEntry
	fields  []converge.Field
}

func (d *differ) value(path []pathStep, old, new any) {
	if reflect.DeepEqual(old, new) {
		return
	}
	oldMap, oldIsMap := old.(map[string]any)
	newMap, newIsMap := new.(map[string]any)
	oldList, oldIsList := old.([]any)
	newList, newIsList := new.([]any)
	switch {
	case oldIsMap && newIsMap, oldIsMap && new == nil && len(oldMap) > 0, newIsMap && old == nil && len(newMap) > 0:
		d.maps(path, oldMap, newMap)
	case oldIsList && newIsList:
		d.lists(path, oldList, newList)
	default:
		d.add(path, old, new)
	}
}

func (d *differ) maps(path []pathStep, old, new map[string]any) {
	for _, name := range union(old, new) {
		d.value(append(slices.Clip(path), pathStep{key: name}), old[name], new[name])
	}
}

// lists compares item by item: by a key that all items have, where there is one,
// else by position.
func (d *differ) lists(path []pathStep, old, new []any) {
	name := itemKey(old, new)
	if name == "" {
		for i := range max(len(old), len(new)) {
			d.value(append(slices.Clip(path), pathStep{index: i, item: at(old, i)}), at(old, i), at(new, i))
		}
		return
	}
	find := func(list []any, id any) any {
		for _, item := range list {
			if item.(map[string]any)[name] == id {
				return item
			}
		}
		return nil
	}
	for i, item := range old {
		id := item.(map[string]any)[name]
		step := pathStep{index: i, item: item}
		d.item(append(slices.Clip(path), step), item, find(new, id))
	}
	for i, item := range new {
		if id := item.(map[string]any)[name]; find(old, id) == nil {
			d.item(append(slices.Clip(path), pathStep{index: i, item: item}), nil, item)
		}
	}
	if before, after := order(old, new, name), order(new, old, name); !reflect.DeepEqual(before, after) {
		d.add(path, before, after)
	}
}

// order is the keys of those items of list that other has too.
func order(list, other []any, name string) []any {
	there := make(map[any]bool, len(other))
	for _, item := range other {
		there[item.(map[string]any)[name]] = true
	}
	var ids []any
	for _, item := range list {
		if id := item.(map[string]any)[name]; there[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// item takes an item that came or went as one difference, not one for each of its fields.
func (d *differ) item(path []pathStep, old, new any) {
	if old == nil || new == nil {
		d.add(path, old, new)
		return
	}
	d.value(path, old, new)
}

func (d *differ) add(path []pathStep, old, new any) {
	f := converge.Field{Path: pathString(path), Old: fieldpath.Text(old), New: fieldpath.Text(new), Manager: writer(d.entries, path)}
	if d.masked(path) {
		if old != nil {
			f.Old = "(secret)"
		}
		if new != nil {
			f.New = "(secret)"
		}
		if old != nil && new != nil {
			f.New = "(secret changed)"
		}
	}
	d.fields = append(d.fields, f)
}

func (d *differ) masked(path []pathStep) bool {
	if d.secret && (path[0].key == "data" || path[0].key == "stringData") {
		return true
	}
	return path[len(path)-1].key == lastApplied
}

func at(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return nil
}

func union(a, b map[string]any) []string {
	names := make(map[string]bool, len(a))
	for name := range a {
		names[name] = true
	}
	for name := range b {
		names[name] = true
	}
	return slices.Sorted(maps.Keys(names))
}
