// SPDX-License-Identifier: Apache-2.0

package crd

import (
	"encoding/json"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kube-openapi/pkg/validation/spec"
	kjson "sigs.k8s.io/json"
)

// unknownFields finds what the API server would drop: fields that the schema does
// not name, where it does not say that they are to be kept. whole says that value is
// an object of its own, with apiVersion, kind and metadata; keep, that anything is kept.
func (c *check) unknownFields(path path, value any, s *spec.Schema, whole, keep bool) {
	if s != nil {
		keep = keep || flag(s, "x-kubernetes-preserve-unknown-fields")
		if flag(s, "x-kubernetes-embedded-resource") {
			whole = true
			c.embedded(path, value)
		}
	}
	switch value := value.(type) {
	case map[string]any:
		for name, field := range value {
			if whole && (name == "apiVersion" || name == "kind" || name == "metadata") {
				continue
			}
			var child *spec.Schema
			known := false
			if s != nil {
				child, known = below(s, name)
			}
			switch {
			case known && child != nil:
				c.unknownFields(path.key(name), field, child, false, false)
			case !known && !keep:
				c.add(path.key(name), "unknown field")
			}
		}
	case []any:
		for i, item := range value {
			if s != nil && items(s) != nil {
				c.unknownFields(path.item(i), item, items(s), false, false)
			}
		}
	}
}

// embedded checks what every object has.
func (c *check) embedded(path path, value any) {
	object, ok := value.(map[string]any)
	if !ok {
		return // its type is wrong, which is said elsewhere
	}
	for _, name := range []string{"apiVersion", "kind"} {
		switch text, ok := object[name].(string); {
		case object[name] == nil:
			c.add(path.key(name), "required")
		case !ok || text == "":
			c.add(path.key(name), "must be a string, and not empty")
		}
	}
	c.metadata(path.key("metadata"), object["metadata"])
}

// metadata checks the fields that all kinds have in common.
func (c *check) metadata(path path, value any) {
	if value == nil {
		return
	}
	text, err := encode(value)
	if err != nil {
		c.add(path, err.Error())
		return
	}
	unknown, err := kjson.UnmarshalStrict(text, &metav1.ObjectMeta{})
	var mistyped *json.UnmarshalTypeError
	switch {
	case errors.As(err, &mistyped) && mistyped.Field != "":
		c.add(path.raw(mistyped.Field), fmt.Sprintf("must be of type %s, not %s", mistyped.Type, mistyped.Value))
	case err != nil:
		c.add(path, err.Error())
	}
	for _, one := range unknown {
		var field kjson.FieldError
		if errors.As(one, &field) {
			c.add(path.raw(field.FieldPath()), "unknown field")
		} else {
			c.add(path, one.Error())
		}
	}
}
