// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"embed"
	"flag"
	"io/fs"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden renders anew")

//go:embed all:testdata/source
var embedded embed.FS

// Every kind of source renders as its golden file says, from a directory as from
// files in the binary, and the same when tokens are others, but for Secrets.
func TestSourceGolden(t *testing.T) {
	below, err := fs.Sub(embedded, "testdata/source")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"plain", "kustomize", "chart"} {
		t.Run(name, func(t *testing.T) {
			golden := "testdata/source/" + name + ".golden.yaml"
			from := renderSource(t, os.DirFS("testdata/source"), name, "s3cr3t-")
			got, err := WriteYAML(from)
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				if err := os.WriteFile(golden, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Error(diff)
			}
			if again, _ := WriteYAML(renderSource(t, below, name, "s3cr3t-")); string(again) != string(got) {
				t.Error("embedded files render differently")
			}
			if err := CheckSecrets(from, renderSource(t, below, name, "other-")); err != nil {
				t.Error(err)
			}
		})
	}
}

func renderSource(t *testing.T, files fs.FS, name, tokens string) []Object {
	t.Helper()
	folder, err := fs.Sub(files, name)
	if err != nil {
		t.Fatal(err)
	}
	a, err := Load(folder, "addons/"+name)
	if err != nil {
		t.Fatal(err)
	}
	values, err := a.Merge(nil)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := Render(Input{
		Addon: a, Values: values, Environment: "test", Tokens: fakeTokens(tokens),
		Images: map[string]string{"docker.io": "mirror.example/hub", "registry.example/shop": "mirror.example/shop"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return objects
}
