// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/strictyaml"
)

// A testcase is one folder below testdata: values and what they render to.
type testcase struct {
	name   string
	given  map[string]any // as values.yaml says them
	merged map[string]any
}

// cases reads the folders below testdata whose values the add-on accepts.
func (l *linter) cases(a *addon.Addon) []testcase {
	entries, err := fs.ReadDir(a.Files(), "testdata")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.report(fmt.Errorf("%s/testdata: %w", a.Dir, err))
	}
	var cases []testcase
	folders := 0
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		folders++
		if c, ok := l.readCase(a, e.Name()); ok {
			cases = append(cases, c)
		}
	}
	if folders == 0 {
		l.warn(hint.With(fmt.Errorf("%s: has no testdata: nobody sees what a change does to the manifests", a.Dir),
			"make testdata/default/values.yaml, which may be empty, and run `clusterup addon lint --update`"))
	}
	return cases
}

func (l *linter) readCase(a *addon.Addon, name string) (testcase, bool) {
	c := testcase{name: name}
	file := path.Join("testdata", name, "values.yaml")
	data, err := fs.ReadFile(a.Files(), file)
	var document *strictyaml.Document
	if err == nil && !blank(data) {
		document, err = strictyaml.Decode(a.Dir+"/"+file, data, &c.given)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.report(err)
		return c, false
	}
	c.merged, err = a.Merge(c.given)
	if err == nil {
		return c, true
	}
	for _, e := range valueErrors(err) {
		where := a.Dir + "/" + file
		if document != nil {
			where = document.At(e.Path...)
		}
		l.report(hint.With(fmt.Errorf("%s: %w", where, e), "%s", e.Hint))
	}
	return c, false
}

// blank reports whether a file holds nothing but comments.
func blank(data []byte) bool {
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' && line != "---" && line != "{}" {
			return false
		}
	}
	return true
}

// valueErrors takes apart what Merge says.
func valueErrors(err error) []*addon.ValueError {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*addon.ValueError
		for _, e := range joined.Unwrap() {
			all = append(all, valueErrors(e)...)
		}
		return all
	}
	var wrong *addon.ValueError
	if !errors.As(err, &wrong) {
		return []*addon.ValueError{{Msg: err.Error()}}
	}
	return []*addon.ValueError{wrong}
}
