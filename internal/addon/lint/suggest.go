// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"maps"
	"math"
	"slices"
	"strings"
)

// maxDepth bounds schemas that contain themselves.
const maxDepth = 8

// suggester collects changes of single values that a JSON schema suggests. Only
// what the schema then accepts is used, so it may be wrong.
type suggester struct {
	root    map[string]any
	found   []change
	guessed bool // the sample that is being made has texts of which the schema says nothing
}

// change is what a variation sets. A guessed one has texts that the schema lets
// pass and that may make no sense: templates have to bear it, schemas of kinds
// need not.
type change struct {
	set     map[string]any
	guessed bool
}

// set adds one change, nested under its path.
func (s *suggester) set(path []string, value any) {
	for _, key := range slices.Backward(path) {
		value = map[string]any{key: value}
	}
	if set, ok := value.(map[string]any); ok && len(path) > 0 {
		s.found = append(s.found, change{set, s.guessed})
	}
	s.guessed = false
}

// properties suggests changes of everything that a schema of a mapping names.
func (s *suggester) properties(path []string, schema map[string]any, values map[string]any, depth int) {
	if depth > maxDepth {
		return
	}
	properties, _ := schema["properties"].(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		below, _ := properties[key].(map[string]any)
		s.value(append(path[:len(path):len(path)], key), s.resolve(below), values[key], depth+1)
	}
}

// value suggests other values for one: each of an enum, both booleans, the ends
// of a range, lists and mappings that are empty, absent or hold a sample.
func (s *suggester) value(path []string, schema map[string]any, present any, depth int) {
	for _, choice := range choices(schema) {
		s.set(path, choice)
	}
	types := typesOf(schema)
	if slices.Contains(types, "boolean") {
		s.set(path, true)
		s.set(path, false)
	}
	if slices.Contains(types, "integer") || slices.Contains(types, "number") {
		for _, n := range ends(schema) {
			s.set(path, n)
		}
	}
	if slices.Contains(types, "string") {
		s.guessed = true
		s.set(path, "")
		if present == nil {
			s.set(path, s.sample(schema, depth))
		}
	}
	if slices.Contains(types, "array") {
		s.set(path, []any{})
		if list, ok := present.([]any); !ok || len(list) == 0 {
			s.set(path, s.sample(schema, depth))
		}
	}
	if slices.Contains(types, "object") {
		s.set(path, map[string]any{})
		mapping, ok := present.(map[string]any)
		if !ok || len(mapping) == 0 {
			s.set(path, s.sample(schema, depth))
		}
		s.properties(path, schema, mapping, depth)
	}
	s.set(path, nil) // absent, where the schema lets it be null
}

// defaults suggests changes where there is no schema: of booleans, lists and
// mappings, and no null, as nothing says that it may be.
func (s *suggester) defaults(path []string, values map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		at := append(path[:len(path):len(path)], key)
		switch value := values[key].(type) {
		case bool:
			s.set(at, !value)
		case []any:
			s.set(at, []any{})
		case map[string]any:
			s.defaults(at, value)
		}
	}
}

// resolve follows references inside the schema and takes the first of
// alternatives.
func (s *suggester) resolve(schema map[string]any) map[string]any {
	for range maxDepth {
		ref, ok := schema["$ref"].(string)
		if !ok {
			break
		}
		var node any = s.root
		for key := range strings.SplitSeq(strings.TrimPrefix(strings.TrimPrefix(ref, "#"), "/"), "/") {
			mapping, _ := node.(map[string]any)
			node = mapping[strings.NewReplacer("~1", "/", "~0", "~").Replace(key)]
		}
		schema, _ = node.(map[string]any)
	}
	for _, key := range []string{"anyOf", "oneOf", "allOf"} {
		if list, ok := schema[key].([]any); ok && len(list) > 0 && len(typesOf(schema)) == 0 {
			if first, ok := list[0].(map[string]any); ok {
				return s.resolve(first)
			}
		}
	}
	return schema
}

// choices are the values that a schema spells out.
func choices(schema map[string]any) []any {
	all, _ := schema["enum"].([]any)
	for _, key := range []string{"const", "default"} {
		if value, ok := schema[key]; ok {
			all = append(all, value)
		}
	}
	examples, _ := schema["examples"].([]any)
	return append(all, examples...)
}

func typesOf(schema map[string]any) []string {
	switch types := schema["type"].(type) {
	case string:
		return []string{types}
	case []any:
		var all []string
		for _, t := range types {
			if text, ok := t.(string); ok {
				all = append(all, text)
			}
		}
		return all
	}
	if schema["properties"] != nil {
		return []string{"object"}
	}
	if schema["items"] != nil {
		return []string{"array"}
	}
	return nil
}

// ends are the smallest and the largest number that the schema allows; where it
// says nothing, numbers that templates trip over.
func ends(schema map[string]any) []any {
	low, hasLow := schema["minimum"].(float64)
	high, hasHigh := schema["maximum"].(float64)
	if n, ok := schema["exclusiveMinimum"].(float64); ok {
		low, hasLow = n+1, true
	}
	if n, ok := schema["exclusiveMaximum"].(float64); ok {
		high, hasHigh = n-1, true
	}
	all := []any{}
	if hasLow {
		all = append(all, whole(low))
	} else {
		all = append(all, 0)
	}
	if hasHigh {
		all = append(all, whole(high))
	}
	return all
}

func whole(n float64) any {
	if math.Trunc(n) == n && math.Abs(n) < 1<<53 {
		return int(n)
	}
	return n
}
