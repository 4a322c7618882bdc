// SPDX-License-Identifier: Apache-2.0

package crd

import (
	"errors"
	"strings"

	openapi "k8s.io/kube-openapi/pkg/validation/errors"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
	"k8s.io/kube-openapi/pkg/validation/validate"
)

// values checks types, bounds, patterns and what is required, with the validator that
// the API server has.
func (c *check) values(body any, s *spec.Schema) {
	validator := validate.NewSchemaValidator(withoutRootFields(s), nil, "", strfmt.Default, quoted)
	for _, err := range validator.Validate(body).Errors {
		var v *openapi.Validation
		if !errors.As(err, &v) {
			c.add(root, err.Error())
			continue
		}
		at := root.raw(strings.TrimPrefix(v.Name, "."))
		if v.Code() == openapi.RequiredFailCode {
			c.add(at, "required")
			continue
		}
		c.add(at, message(v))
	}
}

// withoutRootFields leaves out the checks of what only the server writes.
func withoutRootFields(s *spec.Schema) *spec.Schema {
	kept := *s
	kept.Required = nil
	for _, name := range s.Required {
		if name != "status" {
			kept.Required = append(kept.Required, name)
		}
	}
	return &kept
}

// message is what the validator says without its name for the place.
func message(v *openapi.Validation) string {
	text := v.Error()
	if _, rest, ok := strings.Cut(text, " in body "); ok {
		return rest
	}
	return strings.TrimPrefix(text, v.Name+" ")
}

// quoted makes the validator name fields as paths do: a key with a dot in quotes.
func quoted(o *validate.SchemaValidatorOptions) {
	o.NewValidatorForField = func(field string, s *spec.Schema, top any, at string, formats strfmt.Registry, _ ...validate.Option) validate.ValueValidator {
		parent := strings.TrimSuffix(strings.TrimSuffix(at, field), ".")
		return validate.NewSchemaValidator(s, top, string(path(parent).key(field)), formats, quoted)
	}
	o.NewValidatorForIndex = func(_ int, s *spec.Schema, top any, at string, formats strfmt.Registry, _ ...validate.Option) validate.ValueValidator {
		return validate.NewSchemaValidator(s, top, at, formats, quoted)
	}
}
