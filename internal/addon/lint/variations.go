// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/hint"
)

// maxVariations bounds the renders of one add-on. They come in the order of the
// schema's names, so that it is always the same ones that are left out.
const maxVariations = 200

// variation is values under which an add-on is rendered.
type variation struct {
	base   string         // the test whose values come first; empty for the defaults
	set    map[string]any // what is set on top
	values map[string]any // merged

	guessed bool // see change
}

// with is how findings name the values; the defaults need no name.
func (v variation) with() string {
	var parts []string
	if v.base != "" {
		parts = append(parts, "of testdata/"+v.base)
	}
	if len(v.set) > 0 {
		parts = append(parts, flow(v.set))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (with values " + strings.Join(parts, " and ") + ")"
}

// bases are the defaults, where they are enough, and the values of every test.
// A default that the schema refuses is reported.
func (l *linter) bases(a *addon.Addon, cases []testcase) []variation {
	var bases []variation
	merged, err := a.Merge(nil)
	if err == nil {
		bases = append(bases, variation{values: merged})
	} else {
		for _, e := range valueErrors(err) {
			switch {
			case e.Missing && len(cases) == 0:
				l.report(hint.With(fmt.Errorf("%s: the values have no default that the schema accepts (%w): nothing can be checked", a.At("values"), e),
					"set them in testdata/default/values.yaml"))
			case !e.Missing:
				l.report(hint.With(fmt.Errorf("%s: the default is refused by %s: %s", a.At(append([]any{"values"}, e.Path...)...), addon.SchemaFile, e.Error()), "%s", e.Hint))
			}
		}
	}
	for _, c := range cases {
		if err == nil && len(c.given) == 0 {
			continue // are the defaults
		}
		bases = append(bases, variation{base: c.name, values: c.merged})
	}
	return bases
}

// variations are the bases, and on top of the first one every change of one
// value that the schema suggests and accepts.
func (l *linter) variations(a *addon.Addon, cases []testcase) []variation {
	all := l.bases(a, cases)
	if len(all) == 0 {
		return nil
	}
	first := all[0]
	given := map[string]any{}
	for _, c := range cases {
		if c.name == first.base {
			given = c.given
		}
	}
	for _, change := range suggestions(a, first.values) {
		if len(all) >= maxVariations {
			break
		}
		merged, err := a.Merge(above(given, change.set))
		if err != nil || slices.ContainsFunc(all, func(v variation) bool { return flow(v.values) == flow(merged) }) {
			continue
		}
		all = append(all, variation{base: first.base, set: change.set, values: merged, guessed: change.guessed})
	}
	return all
}

// above lays one mapping over another.
func above(below, set map[string]any) map[string]any {
	merged := maps.Clone(below)
	if merged == nil {
		merged = map[string]any{}
	}
	for key, value := range set {
		one, isMap := merged[key].(map[string]any)
		other, bothMaps := value.(map[string]any)
		if isMap && bothMaps {
			value = above(one, other)
		}
		merged[key] = value
	}
	return merged
}

// suggestions are changes of one value each: by the schema, or without one by
// the defaults.
func suggestions(a *addon.Addon, values map[string]any) []change {
	s := suggester{}
	data, err := fs.ReadFile(a.Files(), addon.SchemaFile)
	if err == nil && json.Unmarshal(data, &s.root) == nil {
		s.properties(nil, s.root, values, 0)
	} else {
		s.defaults(nil, values)
	}
	return s.found
}

// flow writes values as a person would in one line: {a: 1, b: [x]}.
func flow(value any) string {
	switch value := value.(type) {
	case map[string]any:
		parts := []string{}
		for _, key := range slices.Sorted(maps.Keys(value)) {
			parts = append(parts, key+": "+flow(value[key]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		parts := []string{}
		for _, item := range value {
			parts = append(parts, flow(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case nil:
		return "null"
	case string:
		if plain(value) {
			return value
		}
		return fmt.Sprintf("%q", value)
	}
	return fmt.Sprint(value)
}

func plain(text string) bool {
	return text != "" && text != "true" && text != "false" && text != "null" &&
		strings.IndexFunc(text, func(r rune) bool {
			return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_/", r)
		}) < 0
}
