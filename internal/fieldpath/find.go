// SPDX-License-Identifier: Apache-2.0

package fieldpath

import (
	"encoding/json"
	"fmt"
)

// In gives the value at p.
func (p Path) In(value any) (any, bool) {
	for _, step := range p {
		next, ok := step.In(value)
		if !ok {
			return nil, false
		}
		value = next
	}
	return value, true
}

// In gives the value one step into value.
func (s Step) In(value any) (any, bool) {
	if !s.Item {
		m, ok := value.(map[string]any)
		next, there := m[s.Key]
		return next, ok && there
	}
	list, _ := value.([]any)
	if i := s.At(list); i >= 0 {
		return list[i], true
	}
	return nil, false
}

// At is where in list the item is; -1 for nowhere.
func (s Step) At(list []any) int {
	for i, item := range list {
		if s.Key == "" {
			if i == s.Index {
				return i
			}
			continue
		}
		if m, ok := item.(map[string]any); ok && m[s.Key] != nil && Text(m[s.Key]) == s.Is {
			return i
		}
	}
	return -1
}

// Text is how a value is written where it is compared or shown: a text as it is, nothing
// for nil, anything else as JSON.
func Text(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		return value
	}
	b, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(b)
}
