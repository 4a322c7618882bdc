// SPDX-License-Identifier: Apache-2.0

package crd

import (
	"encoding/json"

	"k8s.io/kube-openapi/pkg/validation/spec"
)

// fill sets the defaults that the API server would set before it looks at what is
// required, and drops nulls from where none may be, as it does.
func fill(value any, s *spec.Schema) {
	if s == nil {
		return
	}
	switch value := value.(type) {
	case map[string]any:
		for name := range s.Properties {
			property := s.Properties[name]
			have, there := value[name]
			isNull := there && have == nil && !property.Nullable
			switch {
			case property.Default != nil && (!there || isNull):
				value[name] = clone(property.Default)
			case isNull:
				delete(value, name)
			}
		}
		for name, field := range value {
			child, _ := below(s, name)
			fill(field, child)
		}
	case []any:
		for _, item := range value {
			fill(item, items(s))
		}
	}
}

// clone copies a JSON value, integers as the API's own decoder reads them.
func clone(value any) any {
	text, err := json.Marshal(value)
	if err != nil {
		return nil
	}
	var copied any
	if decode(text, &copied) != nil {
		return nil
	}
	return copied
}
