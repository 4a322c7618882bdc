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
// may differ in the data of Secrets and in nothing else; so a token that went
// elsewhere is found in whatever shape. The error names the place and the
// field, and no value.
func CheckSecrets(a, b []Object) error {
	for i := range min(len(a), len(b)) {
		if identity(a[i]) != identity(b[i]) {
			return leak(a[i], "the name of "+a[i].GetKind())
		}
		one, other := a[i].Object, b[i].Object
		if isSecret(a[i].Unstructured) {
			one, other = withoutData(one), withoutData(other)
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

func withoutData(object map[string]any) map[string]any {
	object = maps.Clone(object)
	delete(object, "data")
	return object
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
