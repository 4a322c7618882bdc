// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/hint"
)

// golden compares what the values of every test render to with its golden.yaml,
// or writes that.
func (l *linter) golden(a *addon.Addon, cases []testcase) {
	for _, c := range cases {
		objects, err := Render(l.Catalog, a, c.merged)
		if err != nil {
			continue // has been reported
		}
		got, err := addon.WriteYAML(relative(a, objects))
		if err != nil {
			l.report(err)
			continue
		}
		if err := l.compare(a, path.Join("testdata", c.name, "golden.yaml"), got); err != nil {
			l.report(err)
		}
	}
}

// relative names files below addons/, wherever the folder is.
func relative(a *addon.Addon, objects []addon.Object) []addon.Object {
	for i := range objects {
		if rest, ok := strings.CutPrefix(objects[i].File, a.Dir+"/"); ok {
			objects[i].File = "addons/" + a.Name + "/" + rest
		}
	}
	return objects
}

func (l *linter) compare(a *addon.Addon, name string, got []byte) error {
	shown := a.Dir + "/" + name
	want, err := fs.ReadFile(a.Files(), name)
	switch {
	case err == nil && bytes.Equal(want, got):
		return nil
	case l.Update:
		if err := os.WriteFile(filepath.FromSlash(shown), got, 0o644); err != nil {
			return fmt.Errorf("%s: %w", shown, err)
		}
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return hint.With(fmt.Errorf("%s: there is no such file", shown), "write it with `clusterup addon lint --update`, and read it")
	case err != nil:
		return fmt.Errorf("%s: %w", shown, err)
	}
	line, was, is := difference(want, got)
	return hint.With(fmt.Errorf("%s:%d: the manifests are others now: here it was %q and is %q", shown, line, was, is),
		"if that is meant: `clusterup addon lint --update`, and read what changed")
}

// difference gives the first line that differs.
func difference(want, got []byte) (line int, was, is string) {
	one, other := strings.Split(string(want), "\n"), strings.Split(string(got), "\n")
	for i := range max(len(one), len(other)) {
		was, is = at(one, i), at(other, i)
		if was != is {
			return i + 1, was, is
		}
	}
	return 1, "", ""
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return strings.TrimSpace(lines[i])
	}
	return ""
}
