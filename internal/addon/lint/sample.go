// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"maps"
	"regexp"
	"slices"
	"unicode/utf8"
)

// words are texts that patterns in schemas tend to accept.
var words = []string{
	"a", "sample", "a.example.org", "1", "1Gi", "100m", "10s", "5m", "1.2.3", "v1.2.3", "10.0.0.0/8", "10.0.0.1", ":8080", "8080",
	"https://a.example.org", "/a", "a@example.org", "arn:aws:iam::123456789012:role/a", "docker.io/library/a:1", "2026-01-31T12:00:00Z", "2026-01-31",
	"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a/b", "A", "a:b", "00000000-0000-4000-8000-000000000000",
}

// sample makes a value that fits a schema, if it can: nil if it cannot.
func (s *suggester) sample(schema map[string]any, depth int) any {
	schema = s.resolve(schema)
	if depth > maxDepth {
		return nil
	}
	if all := choices(schema); len(all) > 0 {
		return all[0]
	}
	types := typesOf(schema)
	if len(types) == 0 {
		s.guessed = true
		return "a"
	}
	switch types[0] {
	case "boolean":
		return true
	case "integer", "number":
		return ends(schema)[0]
	case "string":
		s.guessed = s.guessed || schema["pattern"] == nil
		return word(schema)
	case "array":
		items, _ := schema["items"].(map[string]any)
		n, _ := schema["minItems"].(float64)
		list := []any{}
		for range max(1, min(int(n), 10)) {
			list = append(list, s.sample(items, depth+1))
		}
		return list
	case "object":
		return s.mapping(schema, depth)
	}
	return nil
}

// mapping is a sample with every property that has one.
func (s *suggester) mapping(schema map[string]any, depth int) map[string]any {
	sample := map[string]any{}
	properties, _ := schema["properties"].(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		below, _ := properties[key].(map[string]any)
		if value := s.sample(below, depth+1); value != nil {
			sample[key] = value
		}
	}
	if more, ok := schema["additionalProperties"].(map[string]any); ok && len(properties) == 0 {
		if value := s.sample(more, depth+1); value != nil {
			sample["a"] = value
		}
	}
	return sample
}

// word is a text that a schema accepts.
func word(schema map[string]any) any {
	pattern, err := regexp.Compile(text(schema["pattern"]))
	if err != nil {
		return nil
	}
	low, _ := schema["minLength"].(float64)
	high, limited := schema["maxLength"].(float64)
	for _, w := range words {
		n := float64(utf8.RuneCountInString(w))
		if pattern.MatchString(w) && n >= low && (!limited || n <= high) {
			return w
		}
	}
	return nil
}

func text(value any) string {
	s, _ := value.(string)
	return s
}
