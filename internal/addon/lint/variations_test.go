// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"clusterup.dev/clusterup/internal/addon"
)

func load(t testing.TB, yaml, schema string) *addon.Addon {
	t.Helper()
	a, err := addon.Load(fstest.MapFS{"addon.yaml": {Data: []byte(yaml)}, "values.schema.json": {Data: []byte(schema)}}, "addons/demo")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// What a schema suggests is tried, one value at a time, as far as the schema
// accepts it.
func TestVariations(t *testing.T) {
	for name, tt := range map[string]struct {
		values, property string
		want             []string
	}{
		"boolean":            {"true", `{"type": "boolean"}`, []string{"{v: false}"}},
		"enum":               {"b", `{"enum": ["a", "b", 3]}`, []string{"{v: a}", "{v: 3}"}},
		"range":              {"2", `{"type": "integer", "minimum": 1, "maximum": 9}`, []string{"{v: 1}", "{v: 9}"}},
		"exclusive range":    {"2", `{"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 9}`, []string{"{v: 8}"}},
		"no range":           {"2", `{"type": "number"}`, []string{"{v: 0}"}},
		"a list":             {"[a]", `{"type": "array", "items": {"type": "string"}}`, []string{"{v: []}"}},
		"a list, filled":     {"[]", `{"type": "array", "items": {"$ref": "#/$defs/item"}}`, []string{"{v: [{n: 1, name: a, on: true}]} guessed"}},
		"a list of names":    {"[]", `{"type": "array", "minItems": 0, "items": {"type": "string", "pattern": "^[a-z]+$"}}`, []string{"{v: [a]}"}},
		"a mapping, filled":  {"{}", `{"type": "object", "additionalProperties": {"type": "integer"}}`, []string{"{v: {a: 0}}"}},
		"below a mapping":    {"{on: true}", `{"type": "object", "properties": {"on": {"type": "boolean"}}}`, []string{"{v: {on: false}}"}},
		"absent in defaults": {"", `{"type": "string", "enum": ["a", null]}`, []string{"{v: a}"}},
		"may be null":        {"1", `{"type": ["integer", "null"], "minimum": 1}`, []string{"{v: null}"}},
		"text":               {"a", `{"type": "string"}`, []string{`{v: ""} guessed`}},
		"text of a pattern":  {"2Gi", `{"type": "string", "pattern": "^[0-9]+Gi$"}`, nil},
		"examples":           {"a", `{"type": "string", "pattern": "^(a|zz)$", "examples": ["zz"]}`, []string{"{v: zz}"}},
		"alternatives":       {"1", `{"oneOf": [{"type": "integer", "maximum": 3}, {"type": "string"}]}`, []string{"{v: 0}", "{v: 3}"}},
		"contains itself":    {"{}", `{"$ref": "#/$defs/tree"}`, []string{"{v: {a: {a: {a: {a: {}}}}}}"}},
	} {
		t.Run(name, func(t *testing.T) {
			values := "values: {v: " + tt.values + "}\n"
			if tt.values == "" {
				values = ""
			}
			a := load(t, header+values, `{"properties": {"v": `+tt.property+`}, "$defs": {
				"item": {"type": "object", "properties": {"name": {"type": "string"}, "on": {"type": "boolean"}, "n": {"type": "integer", "minimum": 1}}},
				"tree": {"type": "object", "properties": {"a": {"$ref": "#/$defs/tree"}}}}}`)
			l := &linter{seen: map[string]bool{}}
			got := []string{}
			for i, v := range l.variations(a, nil) {
				text := flow(v.set)
				if v.guessed {
					text += " guessed"
				}
				if i > 0 {
					got = append(got, text)
				}
			}
			if name == "contains itself" {
				if len(got) == 0 || len(got) > 20 {
					t.Errorf("%d variations", len(got))
				}
				return
			}
			if diff := cmp.Diff(append([]string{}, tt.want...), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A finding says with which values it comes, and is there once: with the
// simplest of them.
func TestFindingsNameTheValues(t *testing.T) {
	got := run(t, map[string]map[string]string{"demo": files(
		"addon.yaml", header+"values: {on: true, list: [], level: a}\n",
		"values.schema.json", `{"properties": {"on": {"type": "boolean"}, "list": {"type": "array", "items": {"type": "integer"}}, "level": {"enum": ["a", "b"]}}}`,
		"manifests/a.yaml", config+"data:\n  {{- if not .Values.on }}\n  a: {{ .Values.on }}\n  {{- end }}\n  {{- range .Values.list }}\n  b: {{ . }}\n  {{- end }}\n"+
			"  {{- if eq .Values.level \"b\" }}\n  c: {{ .Values.none }}\n  {{- end }}\n  z: 1\n",
		"testdata/more/values.yaml", "list: [2]\n",
	)})
	want := []string{
		`demo/manifests/a.yaml:7: error: ConfigMap demo/a: data.a: has to be text, and is false (with values {on: false}) | put it in quotes: "false"`,
		`demo/manifests/a.yaml:10: error: ConfigMap demo/a: data.b: has to be text, and is 0 (with values {list: [0]}) | put it in quotes: "0"`,
		`demo/manifests/a.yaml:10: error: ConfigMap demo/a: data.b: has to be text, and is 2 (with values of testdata/more) | put it in quotes: "2"`,
		`demo/manifests/a.yaml:13:15: error: map has no entry for key "none" (with values {level: b}) | there are: level, list, on`,
		`demo/manifests/a.yaml:15: error: ConfigMap demo/a: data.z: has to be text, and is 1 | put it in quotes: "1"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Whatever a schema says, the suggestions end, are bounded, and each merges or is
// left out.
func FuzzVariations(f *testing.F) {
	f.Add(`{"properties": {"v": {"type": "array", "items": {"$ref": "#"}}}}`, "v: []")
	f.Add(`{"properties": {"v": {"$ref": "#/properties/v"}}}`, "v: 1")
	f.Add(`{"properties": {"v": {"type": "object", "anyOf": [{"anyOf": []}], "properties": {"w": {"enum": []}}}}}`, "v: {w: 1}")
	f.Fuzz(func(t *testing.T, schema, values string) {
		if !json.Valid([]byte(schema)) || strings.Contains(values, "{{") {
			t.Skip()
		}
		a, err := addon.Load(fstest.MapFS{"addon.yaml": {Data: []byte(header + "values: {" + values + "}\n")}, "values.schema.json": {Data: []byte(schema)}}, "addons/demo")
		if err != nil {
			t.Skip()
		}
		l := &linter{seen: map[string]bool{}}
		if n := len(l.variations(a, nil)); n > maxVariations {
			t.Errorf("%d variations", n)
		}
	})
}
