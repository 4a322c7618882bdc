// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"clusterup.dev/clusterup/internal/hint"
)

// CheckSecrets compares two renders of one add-on with different secrets. They
// may differ in the values of the data of Secrets and in nothing else; so a token
// that went elsewhere is found in whatever shape. The error names the place and
// the field, and no value.
func CheckSecrets(a, b []Object) error {
	for i := range min(len(a), len(b)) {
		if identity(a[i]) != identity(b[i]) {
			return leak(a[i], "the name of "+a[i].GetKind())
		}
		one, other := a[i].Object, b[i].Object
		if isSecret(a[i].Unstructured) {
			one, other = withoutValues(one), withoutValues(other)
		}
		if field := difference(one, other, ""); field != "" {
			return leak(a[i], field+" of "+a[i].Title())
		}
	}
	if len(a) != len(b) {
		return fmt.Errorf("the number of objects depends on a secret: %d and %d", len(a), len(b))
	}
	return nil
}

func leak(o Object, what string) error {
	return hint.With(fault(o.File, o.Line, "%s depends on a secret", what),
		"tokens belong into data and stringData of Secrets only: refer to the Secret from here")
}

// withoutValues keeps the names in the data of a Secret: they are in the clear.
func withoutValues(object map[string]any) map[string]any {
	data, isMap := object["data"].(map[string]any)
	if !isMap {
		return object
	}
	object, data = maps.Clone(object), maps.Clone(data)
	for key := range data {
		data[key] = nil
	}
	object["data"] = data
	return object
}

// TokenKeys are, for each object, the keys of a Secret's data whose values
// differ between the two renders: those that come from tokens.
func TokenKeys(a, b []Object) [][]string {
	keys := make([][]string, len(a))
	for i := range min(len(a), len(b)) {
		one, _ := a[i].Object["data"].(map[string]any)
		other, _ := b[i].Object["data"].(map[string]any)
		if !isSecret(a[i].Unstructured) {
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(one)) {
			if !reflect.DeepEqual(one[key], other[key]) {
				keys[i] = append(keys[i], key)
			}
		}
	}
	return keys
}

// difference gives the path of the first field in which two objects differ.
func difference(a, b any, at string) string {
	one, isMap := a.(map[string]any)
	other, bothMaps := b.(map[string]any)
	if isMap && bothMaps && len(one) == len(other) {
		for _, key := range slices.Sorted(maps.Keys(one)) {
			value, ok := other[key]
			if !ok {
				return orWhole(at)
			}
			if field := difference(one[key], value, join(at, key)); field != "" {
				return field
			}
		}
		return ""
	}
	list, isList := a.([]any)
	otherList, bothLists := b.([]any)
	if isList && bothLists && len(list) == len(otherList) {
		for i := range list {
			if field := difference(list[i], otherList[i], fmt.Sprintf("%s[%d]", at, i)); field != "" {
				return field
			}
		}
		return ""
	}
	if reflect.DeepEqual(a, b) {
		return ""
	}
	return orWhole(at)
}

func orWhole(at string) string {
	if at == "" {
		return "the content"
	}
	return at
}
