// SPDX-License-Identifier: Apache-2.0

package environment

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
)

func (e *Environment) checkAddons() error {
	seen := make(map[string]int)
	for i, a := range e.Spec.Addons {
		if err := e.checkName(a.Name, "spec", "addons", i, "name"); err != nil {
			return err
		}
		if first, ok := seen[a.Name]; ok {
			return hint.With(e.Errorf([]any{"spec", "addons", i, "name"}, "add-on %s is listed twice, first at %s", a.Name, e.At("spec", "addons", first)),
				"keep one of them, with the values of both")
		}
		seen[a.Name] = i
	}
	return nil
}

func (e *Environment) checkImages() error {
	for _, key := range slices.Sorted(maps.Keys(e.Spec.Images)) {
		if ref := e.Spec.Images[key]; ref == "" || strings.ContainsAny(ref, " \t\n") {
			return e.Errorf([]any{"spec", "images", key}, "%q is not the reference of an image", ref)
		}
	}
	return nil
}

// dotted writes a path for the reader: spec.addons[0].name.
func dotted(path []any) string {
	var text strings.Builder
	for i, step := range path {
		switch key := step.(type) {
		case int:
			fmt.Fprintf(&text, "[%d]", key)
		default:
			if i > 0 {
				text.WriteByte('.')
			}
			fmt.Fprint(&text, key)
		}
	}
	return text.String()
}

func quoted(s string) string {
	if s == "" {
		return "missing"
	}
	return fmt.Sprintf("%q", s)
}
