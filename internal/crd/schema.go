// SPDX-License-Identifier: Apache-2.0

package crd

import (
	"errors"
	"fmt"
	"regexp"

	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
)

// deepest is how many levels a schema may have; the API server's own limits are lower.
const deepest = 200

// prepare turns s into what the validator takes, as the API server does: both types
// for int-or-string, and no format that the server would not look at. It refuses
// what a structural schema may not hold and the validator could not bear.
func prepare(s *spec.Schema, depth int) error {
	switch {
	case depth > deepest:
		return errors.New("nested too deep")
	case s.Ref.String() != "":
		return errors.New("$ref is not allowed")
	}
	if _, err := regexp.Compile(s.Pattern); err != nil {
		return fmt.Errorf("pattern %q: %w", s.Pattern, err)
	}
	if flag(s, "x-kubernetes-int-or-string") {
		s.Type = spec.StringOrArray{"integer", "string"}
	}
	if !strfmt.Default.ContainsName(s.Format) && s.Format != "int32" && s.Format != "int64" && s.Format != "float" && s.Format != "double" {
		s.Format = ""
	}
	// What a structural schema may not have, the server has refused.
	s.PatternProperties, s.Dependencies, s.Definitions, s.AdditionalItems = nil, nil, nil, nil
	return eachSchema(s, func(path string, child *spec.Schema) error {
		if err := prepare(child, depth+1); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	})
}

// eachSchema calls do for every schema right below s; do may change it.
func eachSchema(s *spec.Schema, do func(path string, child *spec.Schema) error) error {
	for name := range s.Properties {
		child := s.Properties[name]
		if err := do("properties."+name, &child); err != nil {
			return err
		}
		s.Properties[name] = child
	}
	lists := map[string][]spec.Schema{"allOf": s.AllOf, "anyOf": s.AnyOf, "oneOf": s.OneOf}
	if s.Items != nil {
		lists["items"] = s.Items.Schemas
	}
	for name, list := range lists {
		for i := range list {
			if err := do(fmt.Sprintf("%s[%d]", name, i), &list[i]); err != nil {
				return err
			}
		}
	}
	single := map[string]*spec.Schema{"not": s.Not}
	if s.Items != nil {
		single["items"] = s.Items.Schema
	}
	if s.AdditionalProperties != nil {
		single["additionalProperties"] = s.AdditionalProperties.Schema
	}
	for name, child := range single {
		if child == nil {
			continue
		}
		if err := do(name, child); err != nil {
			return err
		}
	}
	return nil
}

// flag reports whether an extension is set.
func flag(s *spec.Schema, name string) bool {
	set, _ := s.Extensions.GetBool(name)
	return set
}

// below is the schema of a field of an object; known says that there may be one.
func below(s *spec.Schema, name string) (child *spec.Schema, known bool) {
	if property, ok := s.Properties[name]; ok {
		return &property, true
	}
	if more := s.AdditionalProperties; more != nil && (more.Schema != nil || more.Allows) {
		return more.Schema, true
	}
	return nil, false
}

// items is the schema of the items of a list; nil for any.
func items(s *spec.Schema) *spec.Schema {
	if s.Items == nil {
		return nil
	}
	return s.Items.Schema
}
