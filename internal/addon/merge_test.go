// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const schema = `{
  "type": "object", "additionalProperties": false, "required": ["domain"],
  "properties": {
    "replicas": {"type": "integer", "minimum": 1},
    "domain": {"type": "string"},
    "holders": {"type": "array", "items": {"type": "object", "required": ["operator"],
      "properties": {"operator": {"type": "string"}, "shares": {"$ref": "#/$defs/count"}}}},
    "storage": {"type": "object", "additionalProperties": false, "properties": {"size": {"type": "string"}, "className": {"enum": ["fast", "slow"]}}},
    "either": {"oneOf": [{"type": "string"}, {"type": "integer"}]}
  },
  "$defs": {"count": {"type": "integer", "minimum": 1}}
}`

const defaults = header + "values: {replicas: 3, holders: [], storage: {size: 1Gi, className: fast}}\n"

func TestMerge(t *testing.T) {
	a := mustLoad(t, "addon.yaml", defaults, SchemaFile, schema)
	got, err := a.Merge(map[string]any{
		"domain": "example.org", "replicas": json.Number("5"),
		"storage": map[any]any{"size": "2Gi"}, "holders": []any{map[string]any{"operator": "a", "shares": 2.0}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"domain": "example.org", "replicas": 5,
		"storage": map[string]any{"size": "2Gi", "className": "fast"},
		"holders": []any{map[string]any{"operator": "a", "shares": 2}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("1Gi", a.Values["storage"].(map[string]any)["size"]); diff != "" {
		t.Error("merging changed the defaults: " + diff)
	}
}

// A wrong value is named by its path, so that the caller can point at its line.
func TestMergeErrors(t *testing.T) {
	a := mustLoad(t, "addon.yaml", defaults, SchemaFile, schema)
	type values = map[string]any
	tests := []struct {
		name   string
		values values
		path   []any
		err    string
		hint   string
	}{
		{"missing", values{}, []any{}, "value (all) of add-on demo: missing property 'domain'", ""},
		{"type", values{"domain": 1}, []any{"domain"}, "value domain of add-on demo: got number, want string", ""},
		{"bound", values{"domain": "", "replicas": 0}, []any{"replicas"}, "value replicas of add-on demo: minimum: got 0, want 1", ""},
		{"unknown", values{"domain": "", "replcas": 0}, []any{"replcas"}, "value replcas of add-on demo: there is no such value", "did you mean replicas?"},
		{"unknown below", values{"domain": "", "storage": values{"siz": ""}}, []any{"storage", "siz"}, "value storage.siz of add-on demo: there is no such value", "did you mean size?"},
		{"in a list", values{"domain": "", "holders": []any{values{"operator": "a"}, values{"operator": 2}}}, []any{"holders", 1, "operator"}, "value holders[1].operator of add-on demo: got number, want string", ""},
		{"behind a reference", values{"domain": "", "holders": []any{values{"operator": "a", "shares": 0}}}, []any{"holders", 0, "shares"}, "value holders[0].shares of add-on demo: minimum: got 0, want 1", ""},
		{"choice", values{"domain": "", "storage": values{"className": "x"}}, []any{"storage", "className"}, "value storage.className of add-on demo: value must be one of 'fast', 'slow'", ""},
		{"one of", values{"domain": "", "either": true}, []any{"either"}, "value either of add-on demo: 'oneOf' failed, none matched", ""},
		{"null", values{"domain": nil}, []any{"domain"}, "value domain of add-on demo: got null, want string", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := a.Merge(tt.values)
			var invalid *ValueError
			if !errors.As(err, &invalid) {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(tt.path, invalid.Path) + cmp.Diff(tt.err, err.Error()) + cmp.Diff(tt.hint, invalid.Hint); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Without a schema the names of the defaults are all that there are.
func TestMergeWithoutSchema(t *testing.T) {
	a := mustLoad(t, "addon.yaml", header+"values: {replicas: 3, when: 2020-01-01}\n")
	if _, err := a.Merge(map[string]any{"replicas": "any", "when": time.Unix(0, 0).UTC()}); err != nil {
		t.Error(err)
	}
	_, err := a.Merge(map[string]any{"replica": 1, "other": 2})
	if want := "value other of add-on demo: there is no such value\nvalue replica of add-on demo: there is no such value"; err == nil || err.Error() != want {
		t.Errorf("error %v", err)
	}
}

func TestSchemaErrors(t *testing.T) {
	for content, want := range map[string]string{
		"{\n\"a\":\n}":         "addons/demo/values.schema.json:3: invalid character '}' looking for beginning of value",
		`{"$ref": "http://x"}`: "addons/demo/values.schema.json: failing loading \"http://x\": a schema cannot refer to http://x: only to itself",
		`{"type": "intger"}`:   "",
	} {
		_, err := Load(folder(SchemaFile, content), "addons/demo")
		if err == nil || want != "" && err.Error() != want {
			t.Errorf("%s: %v", content, err)
		}
	}
}
