// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/strictyaml"
)

// sectionName is the section's name in addon.yaml.
const sectionName = "consul"

// decode reads a section, whose templates have been carried out, into a struct
// with json tags: what is unknown or of another type is refused.
func (a Ask) decode(section, into any) error {
	if err := a.check(section, reflect.TypeOf(into).Elem(), nil); err != nil {
		return err
	}
	data, err := json.Marshal(section)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		return a.errorf(nil, "%w", err)
	}
	return nil
}

func (a Ask) check(node any, t reflect.Type, path []any) error {
	if node == nil {
		return nil // as if it were absent
	}
	below := func(step any) []any { return append(path[:len(path):len(path)], step) }
	switch t.Kind() {
	case reflect.Pointer:
		return a.check(node, t.Elem(), path)
	case reflect.Struct:
		given, ok := node.(map[string]any)
		if !ok {
			return a.errorf(path, "%s has to be a mapping", written(path))
		}
		fields := map[string]reflect.Type{}
		for field := range t.Fields() {
			fields[field.Tag.Get("json")] = field.Type
		}
		for _, key := range slices.Sorted(maps.Keys(given)) {
			if fields[key] == nil {
				return hint.With(a.errorf(below(key), "unknown field %q in %s", key, written(path)), "%s", strictyaml.Nearest(key, slices.Collect(maps.Keys(fields))))
			}
			if err := a.check(given[key], fields[key], below(key)); err != nil {
				return err
			}
		}
	case reflect.Slice:
		list, ok := node.([]any)
		if !ok {
			return a.errorf(path, "%s has to be a list", written(path))
		}
		for i, item := range list {
			if err := a.check(item, t.Elem(), below(i)); err != nil {
				return err
			}
		}
	default:
		if _, ok := node.(string); !ok {
			return a.errorf(path, "%s has to be text, and is %v", written(path), node)
		}
	}
	return nil
}

// written is a path as people write it: consul.policies[0].name.
func written(path []any) string {
	var b strings.Builder
	b.WriteString(sectionName)
	for _, step := range path {
		if i, ok := step.(int); ok {
			fmt.Fprintf(&b, "[%d]", i)
			continue
		}
		fmt.Fprintf(&b, ".%v", step)
	}
	return b.String()
}

// errorf is an error with the place of what is at path in the section.
func (a Ask) errorf(path []any, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if a.At == nil {
		return fmt.Errorf("section consul of add-on %s: %w", a.Addon, err)
	}
	return fmt.Errorf("%s: %w", a.At(append([]any{sectionName}, path...)...), err)
}
