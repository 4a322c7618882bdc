// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// A later source replaces what an earlier one has of the same name, also when
// what it has cannot be loaded: the reader is told, and gets no other add-on.
func TestALaterSourceReplacesAnEarlierOne(t *testing.T) {
	good := &fstest.MapFile{Data: []byte(header)}
	c, err := Find(
		Source{Name: "one", FS: fstest.MapFS{"demo/addon.yaml": good, "other/addon.yaml": good, "file.go": good, ".git/x": good}},
		Source{Name: "two", FS: fstest.MapFS{"demo/addon.yaml": good}},
		Source{Name: "three", FS: fstest.MapFS{"demo/addon.yaml": {Data: []byte("x")}, "never/addon.yaml": good}, Only: "demo"},
		Source{Name: "none", FS: os.DirFS(filepath.Join(t.TempDir(), "none"))},
	)
	if err != nil {
		t.Fatal(err)
	}
	type line struct {
		Name, Source string
		Replaces     []string
		Err          string
	}
	var got []line
	for _, l := range c.List() {
		got = append(got, line{l.Name, l.Source, l.Replaces, textOf(l.Err)})
	}
	want := []line{
		{"demo", "three", []string{"one", "two"}, "three/demo/addon.yaml:1:1: the file has to be a mapping, and is the text \"x\""},
		{"other", "one", nil, "one/other/addon.yaml:3:7: the add-on is named demo and its folder other"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A link to a folder is a folder, one that leads nowhere is nothing.
func TestLinksToFolders(t *testing.T) {
	dir := t.TempDir()
	for _, err := range []error{
		os.MkdirAll(filepath.Join(dir, "elsewhere", "demo"), 0o755),
		os.WriteFile(filepath.Join(dir, "elsewhere", "demo", "addon.yaml"), []byte(header), 0o644),
		os.Mkdir(filepath.Join(dir, "addons"), 0o755),
		os.Symlink("../elsewhere/demo", filepath.Join(dir, "addons", "demo")),
		os.Symlink("../nowhere", filepath.Join(dir, "addons", "gone")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	c, err := Find(Source{Name: "addons", FS: os.DirFS(filepath.Join(dir, "addons"))})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"demo"}, c.Names()); diff != "" {
		t.Error(diff)
	}
	if _, err := c.Get("demo"); err != nil {
		t.Error(err)
	}
}
