// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// Merge lays the values of an environment over the defaults and checks the
// result. Mappings are merged, everything else replaces the default. An error
// about a value is a *ValueError, or several joined.
func (a *Addon) Merge(values map[string]any) (map[string]any, error) {
	given, _ := normalise(values).(map[string]any)
	defaults, _ := normalise(a.Values).(map[string]any)
	merged := overlay(defaults, given)
	if err := a.validate(merged, given); err != nil {
		return nil, err
	}
	return merged, nil
}

// overlay may keep parts of both; it changes neither.
func overlay(below, above map[string]any) map[string]any {
	merged := make(map[string]any, len(below)+len(above))
	for key, value := range below {
		merged[key] = value
	}
	for key, value := range above {
		lower, isMap := merged[key].(map[string]any)
		upper, bothMaps := value.(map[string]any)
		if isMap && bothMaps {
			value = overlay(lower, upper)
		}
		merged[key] = value
	}
	return merged
}

// normalise copies values as YAML decoders give them into the few types that
// templates and schemas see: maps with string keys, lists, strings, booleans,
// int, float64 and nil. A number without a fraction is an int, so that it
// prints without an exponent.
func normalise(value any) any {
	switch value := value.(type) {
	case nil, string, bool, int:
		return value
	case map[string]any:
		out := make(map[string]any, len(value))
		for key, item := range value {
			out[key] = normalise(item)
		}
		return out
	case map[any]any:
		out := make(map[string]any, len(value))
		for key, item := range value {
			out[fmt.Sprint(key)] = normalise(item)
		}
		return out
	case []any:
		out := make([]any, len(value))
		for i, item := range value {
			out[i] = normalise(item)
		}
		return out
	case int64:
		return int(value)
	case float64:
		if whole := math.Trunc(value); whole == value && math.Abs(value) < 1<<53 {
			return int(whole)
		}
		return value
	case json.Number:
		if n, err := value.Int64(); err == nil {
			return int(n)
		}
		n, _ := value.Float64()
		return normalise(n)
	case time.Time:
		return value.Format(time.RFC3339)
	}
	return fmt.Sprint(value)
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
