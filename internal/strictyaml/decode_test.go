// SPDX-License-Identifier: Apache-2.0

package strictyaml

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"clusterup.dev/clusterup/internal/hint"
)

type pause time.Duration

func (p *pause) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil {
		return hint.With(err, `write it like "5m"`)
	}
	*p = pause(d)
	return nil
}

type part struct {
	Name     string         `yaml:"name"`
	Replicas int            `yaml:"replicas"`
	On       bool           `yaml:"on"`
	Values   map[string]any `yaml:"values,omitempty"`
	Wait     pause          `yaml:"wait"`
	Ignored  string         `json:"-"`
}

type whole struct {
	Version string            `yaml:"version"`
	Parts   []part            `yaml:"parts"`
	Main    *part             `yaml:"main"`
	Labels  map[string]string `yaml:"labels"`
	Skipped string            `yaml:"-"`
	Any     any               `yaml:"any"`
}

func TestWhatIsRightIsDecoded(t *testing.T) {
	var got whole
	_, err := Decode("f.yaml", []byte(`
version: "1"
parts:
  - {name: a, replicas: 3, on: true, wait: 5m}
  - name: b
    values: {n: 1, f: 1.5, s: x, b: false, none: ~, date: 2026-01-31, list: [1, ~, {deep: yes}]}
main: &main
labels: {a: b}
any: [&x {k: v}, *x]
`), &got)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"Version":"1","Parts":[{"Name":"a","Replicas":3,"On":true,"Values":null,"Wait":300000000000},` +
		`{"Name":"b","Replicas":0,"On":false,"Values":{"b":false,"date":"2026-01-31","f":1.5,"list":[1,null,{"deep":"yes"}],"n":1,"none":null,"s":"x"},"Wait":0}],` +
		`"Main":null,"Labels":{"a":"b"},"Skipped":"","Any":[{"k":"v"},{"k":"v"}]}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsWrongIsRefusedWithItsPlace(t *testing.T) {
	for name, c := range map[string]struct{ text, want, hint string }{
		"empty":                  {"", "f.yaml: it is empty", ""},
		"comments only":          {"# nothing\n", "f.yaml: it is empty", ""},
		"syntax":                 {"version: \"1\"\nparts: [\n", "f.yaml:2: did not find expected node content", ""},
		"a tab":                  {"parts:\n\t- name: a\n", "f.yaml:2: found character that cannot start any token", ""},
		"not text":               {"\xff\xfe\xfd", "f.yaml: incomplete UTF-16 character", ""},
		"two documents":          {"version: a\n---\nversion: b\n", "f.yaml:2:1: a second document begins here, and there may be one", ""},
		"a list":                 {"- a\n", "f.yaml:1:1: the file has to be a mapping, and is a list", ""},
		"a scalar":               {"x", `f.yaml:1:1: the file has to be a mapping, and is the text "x"`, ""},
		"unknown field":          {"version: a\nverison: b\n", `f.yaml:2:1: unknown field "verison"`, "did you mean version?"},
		"unknown field inside":   {"parts:\n  - name: a\n    replcas: 1\n", `f.yaml:3:5: unknown field "replcas" in parts[0]`, "did you mean replicas?"},
		"unknown far from any":   {"parts:\n  - {xyzzyxyz: 1}\n", `f.yaml:2:6: unknown field "xyzzyxyz" in parts[0]`, "there are: name, on, replicas, values, wait"},
		"field without a tag":    {"main: {ignored: x}", `f.yaml:1:8: unknown field "ignored" in main`, "there are: name, on, replicas, values, wait"},
		"field without a name":   {"Skipped: x", `f.yaml:1:1: unknown field "Skipped"`, "there are: any, labels, main, parts, version"},
		"case":                   {"Version: x", `f.yaml:1:1: unknown field "Version"`, "did you mean version?"},
		"a field twice":          {"version: a\nparts: []\nversion: b\n", "f.yaml:3:1: version is given twice, first in line 1", ""},
		"a key twice in values":  {"main: {values: {a: {b: 1, b: 2}}}", "f.yaml:1:27: main.values.a.b is given twice, first in line 1", ""},
		"text for a number":      {"main: {replicas: three}", `f.yaml:1:18: main.replicas has to be a whole number, and is the text "three"`, ""},
		"fraction for a number":  {"main: {replicas: 1.5}", "f.yaml:1:18: main.replicas has to be a whole number, and is 1.5", ""},
		"a number too large":     {"main: {replicas: 99999999999999999999}", "f.yaml:1:18: main.replicas has to be a whole number, and is 99999999999999999999", ""},
		"number for text":        {"version: 1", "f.yaml:1:10: version has to be text, and is 1", `put it in quotes: "1"`},
		"number for text in map": {"labels: {a: 1}", "f.yaml:1:13: labels.a has to be text, and is 1", `put it in quotes: "1"`},
		"text for a bool":        {"main: {on: yes}", `f.yaml:1:12: main.on has to be true or false, and is the text "yes"`, ""},
		"mapping for text":       {"version: {a: b}", "f.yaml:1:10: version has to be text, and is a mapping", ""},
		"mapping for a list":     {"parts: {name: a}", "f.yaml:1:8: parts has to be a list, and is a mapping", `each item of a list begins with "- "`},
		"list for a mapping":     {"main: [a]", "f.yaml:1:7: main has to be a mapping, and is a list", ""},
		"text for a mapping":     {"parts: [a]", `f.yaml:1:9: parts[0] has to be a mapping, and is the text "a"`, ""},
		"what a type refuses":    {"main: {wait: 5}", `f.yaml:1:14: main.wait: time: missing unit in duration "5"`, `write it like "5m"`},
		"mapping for such":       {"main: {wait: {a: b}}", "f.yaml:1:14: main.wait has to be text, and is a mapping", ""},
		"a number as key":        {"main: {values: {1: a}}", "f.yaml:1:17: a key has to be text, and is 1", `put it in quotes: "1"`},
		"a list as key":          {"main: {values: {[a]: b}}", "f.yaml:1:17: a key has to be text, and is a list", ""},
		"an empty item":          {"parts:\n  - name: a\n  -\n", "f.yaml:3:4: parts[1] is empty", ""},
		"merge":                  {"main: {values: {<<: {a: b}}}", "f.yaml:1:17: merge keys (<<) cannot be used here", ""},
		"not a number":           {"main: {values: {a: .nan}}", "f.yaml:1:20: main.values.a: .nan is not a number", `put it in quotes: ".nan"`},
		"binary":                 {"main: {values: {a: !!binary aGk=}}", "f.yaml:1:20: main.values.a has the tag !!binary, which cannot be used here", `put it in quotes: "aGk="`},
		"an own tag":             {"any: !run ls", "f.yaml:1:6: any has the tag !run, which cannot be used here", `put it in quotes: "ls"`},
		"a tag that lies":        {"any: !!int ls", "f.yaml:1:6: any: ls is not a value that can be used here", `put it in quotes: "ls"`},
		"lines in a key":         {"main: {values: {\"a\\nb\": 1, \"a\\nb\": 2}}", `f.yaml:1:28: main.values."a\nb" is given twice, first in line 1`, ""},
		"a very long value":      {"version: [" + strings.Repeat("x", 1000) + "]\nverison: " + strings.Repeat("y", 1000), "f.yaml:1:10: version has to be text, and is a list", ""},
		"a very long number":     {"version: 0." + strings.Repeat("1", 1000), "f.yaml:1:10: version has to be text, and is 0." + strings.Repeat("1", 58) + "...", "put it in quotes"},
		"unknown alias":          {"any: *nowhere", "f.yaml: unknown anchor 'nowhere' referenced", ""},
		"alias of itself":        {"any: &a [*a]", "f.yaml: anchor 'a' value contains itself", ""},
		"wrong behind an alias":  {"any: &a {name: [x]}\nmain: *a", "f.yaml:1:16: main.name has to be text, and is a list", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var into whole
			_, err := Decode("f.yaml", []byte(c.text), &into)
			if err == nil {
				t.Fatalf("it was decoded: %+v", into)
			}
			if err.Error() != c.want || hint.Of(err) != c.hint {
				t.Errorf("got  %s (%s)\nwant %s (%s)", err, hint.Of(err), c.want, c.hint)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Error("it has more than one line")
			}
		})
	}
}

func TestAliasesOfAliasesCostNothing(t *testing.T) {
	text := "any:\n  - &a0 [x]\n"
	for i := range 30 {
		text += strings.ReplaceAll(strings.ReplaceAll("  - &aN [*aM, *aM, *aM, *aM, *aM, *aM, *aM, *aM, *aM]\n", "N", string(rune('0'+(i+1)/10))+string(rune('0'+(i+1)%10))), "M", previous(i))
	}
	start := time.Now()
	var into whole
	if _, err := Decode("f.yaml", []byte(text), &into); err == nil {
		t.Error("9^30 elements were decoded")
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

func previous(i int) string {
	if i == 0 {
		return "0"
	}
	return string(rune('0'+i/10)) + string(rune('0'+i%10))
}

func TestPlacesAreFoundLater(t *testing.T) {
	var into whole
	d, err := Decode("f.yaml", []byte(`version: a
parts:
  - name: a
  - name: b
    values:
      threshold: 5
      holders: &h [{operator: x}]
main: {values: {copy: *h}}
`), &into)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path []any
		want string
	}{
		{nil, "f.yaml:1:1"},
		{[]any{"version"}, "f.yaml:1:10"},
		{[]any{"parts", 1, "values", "threshold"}, "f.yaml:6:18"},
		{[]any{"parts", 1, "values", "holders", 0, "operator"}, "f.yaml:7:31"},
		{[]any{"parts", 1, "values", "holders", 0, "shares"}, "f.yaml:7:20"}, // absent: what it would be in
		{[]any{"parts", 1, "replicas"}, "f.yaml:4:5"},
		{[]any{"parts", 7, "name"}, "f.yaml:3:3"},
		{[]any{"parts", -1}, "f.yaml:3:3"},
		{[]any{"parts", "name"}, "f.yaml:3:3"},
		{[]any{"version", 0, "x"}, "f.yaml:1:10"},
		{[]any{"none", "at", "all"}, "f.yaml:1:1"},
		{[]any{"main", "values", "copy", 0, "operator"}, "f.yaml:7:31"}, // through an alias
		{[]any{1.5}, "f.yaml:1:1"},
	} {
		if got := d.At(c.path...); got != c.want {
			t.Errorf("%v is at %s, want %s", c.path, got, c.want)
		}
	}
	err = d.Errorf([]any{"version"}, "it is wrong: %w", hint.With(errCause, "mend it"))
	if err.Error() != "f.yaml:1:10: it is wrong: the cause" || hint.Of(err) != "mend it" {
		t.Errorf("got %v (%s)", err, hint.Of(err))
	}
}

type causeError string

func (c causeError) Error() string { return string(c) }

const errCause = causeError("the cause")

func TestTheNearestNameIsSuggested(t *testing.T) {
	known := []string{"operators", "addons", "store", "cluster", "pgp", "age"}
	for name, want := range map[string]string{
		"operator":                    "did you mean operators?",
		"oprators":                    "did you mean operators?",
		"add-ons":                     "did you mean addons?",
		"sotre":                       "did you mean store?",
		"Cluster":                     "did you mean cluster?",
		"gpg":                         "did you mean pgp?",
		"xxxxxx":                      "there are: addons, age, cluster, operators, pgp, store",
		"ünïcödé":                     "there are: addons, age, cluster, operators, pgp, store",
		"":                            "there are: addons, age, cluster, operators, pgp, store",
		strings.Repeat("store", 1000): "there are: addons, age, cluster, operators, pgp, store",
	} {
		if got := Nearest(name, known); got != want {
			t.Errorf("%.20s: %s, want %s", name, got, want)
		}
	}
	if got := Nearest("x", nil); got != "" {
		t.Errorf("of nothing: %s", got)
	}
}

func FuzzDecodeNeverPanics(f *testing.F) {
	for _, seed := range []string{"version: a\nparts: [{name: b, values: {c: [1]}}]\n", "any: &a [*a]", "<<: {}", "? [a]\n: b", "!!map {}", "a: !!null x", "--- |\n x\n...\n---\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var into whole
		d, err := Decode("f.yaml", data, &into)
		switch {
		case err == nil && d.At("parts", 0, "values") == "":
			t.Error("a document without places")
		case err != nil && (!strings.HasPrefix(err.Error(), "f.yaml") || strings.Contains(err.Error(), "\n")):
			t.Errorf("not one line with the file: %q", err)
		}
		if err != nil {
			return
		}
		if _, err := json.Marshal(into); err != nil {
			t.Errorf("decoded what JSON does not know: %v", err)
		}
	})
}
