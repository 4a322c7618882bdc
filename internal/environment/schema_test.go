// SPDX-License-Identifier: Apache-2.0

package environment

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("environment.schema.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("environment.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func instance(t *testing.T, text []byte) any {
	t.Helper()
	var value any
	if err := yaml.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	value, err = jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestTheSchemaAcceptsWhatIsValid(t *testing.T) {
	schema := compiled(t)
	for _, sample := range []string{"local.yaml", "existing.yaml.example"} {
		text, err := os.ReadFile(filepath.Join(folder, sample))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(instance(t, text)); err != nil {
			t.Errorf("%s: %v", sample, err)
		}
	}
	if err := schema.Validate(instance(t, []byte(good))); err != nil {
		t.Error(err)
	}
}

func TestTheSchemaRefusesWhatIsNot(t *testing.T) {
	schema := compiled(t)
	for old, replacement := range map[string]string{
		"  store:":                "  sotre:",
		"v1alpha1":                "v2",
		"timeout: 20m":            "timeout: 20",
		"development: false":      "development: maybe",
		"- name: vault":           "- nmae: vault",
		"name: prod":              "name: Prod",
		"module: aws":             "module: [aws]",
		"  images: {docker.io: m": "  images: {docker.io: 1, x: m",
	} {
		if err := schema.Validate(instance(t, []byte(strings.Replace(good, old, replacement, 1)))); err == nil {
			t.Errorf("%q instead of %q is accepted", replacement, old)
		}
	}
}

func TestEveryFieldIsDescribed(t *testing.T) {
	text, err := JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Defs map[string]struct {
			Description string
			Properties  map[string]struct {
				Ref         string `json:"$ref"`
				Description string
			}
		} `json:"$defs"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	if len(schema.Defs) < 8 {
		t.Fatalf("only %d types", len(schema.Defs))
	}
	for name, def := range schema.Defs {
		if name != "Duration" && def.Description == "" {
			t.Errorf("%s has no description", name)
		}
		for field, property := range def.Properties {
			if property.Description == "" && (property.Ref == "" || schema.Defs[strings.TrimPrefix(property.Ref, "#/$defs/")].Description == "") {
				t.Errorf("%s.%s has no description", name, field)
			}
		}
	}
}
