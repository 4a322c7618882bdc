// SPDX-License-Identifier: Apache-2.0

package addons_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"clusterup.dev/clusterup/addons"
	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

var update = flag.Bool("update", false, "write the golden renders anew")

// Every folder loads, and renders under each of its testdata/<case>/values.yaml
// as golden.yaml there says. No token gets out of a Secret.
func TestGolden(t *testing.T) {
	catalog, err := addon.Find(addon.Source{Name: "built-in", Dir: "addons", FS: addons.FS})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range catalog.Names() {
		t.Run(name, func(t *testing.T) {
			a, err := catalog.Get(name)
			if err != nil {
				fail(t, err)
			}
			cases, err := filepath.Glob(filepath.Join(name, "testdata", "*"))
			if err != nil {
				t.Fatal(err)
			}
			if len(cases) == 0 {
				t.Fatalf("addons/%s/testdata has no folder: make default/values.yaml, which may be empty", name)
			}
			for _, dir := range cases {
				t.Run(filepath.Base(dir), func(t *testing.T) { golden(t, catalog, a, dir) })
			}
		})
	}
}

func golden(t *testing.T, catalog *addon.Catalog, a *addon.Addon, dir string) {
	values, err := a.Merge(readValues(t, filepath.Join(dir, "values.yaml")))
	if err != nil {
		fail(t, err)
	}
	if _, err := a.HookCalls("golden", values); err != nil {
		fail(t, err)
	}
	if _, err := a.Asks("golden", values); err != nil {
		fail(t, err)
	}
	in := addon.Input{Addon: a, Values: values, Environment: "golden"}
	tokens := secret.Placeholders(specs(t, catalog, a, values))
	in.Tokens = tokens
	objects, err := addon.Render(in)
	if err != nil {
		fail(t, err)
	}
	in.Tokens = tokens.WithFakeSecrets("other")
	others, err := addon.Render(in)
	if err != nil {
		fail(t, err)
	}
	if err := addon.CheckSecrets(objects, others); err != nil {
		fail(t, err)
	}
	got, err := addon.WriteYAML(objects)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, filepath.Join(dir, "golden.yaml"), got)
}

// specs are the tokens of a, under the values of the case, of what it needs, and
// of the environment.
func specs(t *testing.T, catalog *addon.Catalog, a *addon.Addon, values map[string]any) []secret.Spec {
	all, err := a.Specs("golden", values)
	if err != nil {
		fail(t, err)
	}
	all = append(all, addon.Authority("golden"))
	for _, need := range a.Needs {
		needed, err := catalog.Get(need)
		if err != nil {
			fail(t, err)
		}
		more, err := needed.Specs("golden", needed.Values)
		if err != nil {
			fail(t, err)
		}
		all = append(all, more...)
	}
	return all
}

func readValues(t *testing.T, file string) map[string]any {
	data, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := yaml.UnmarshalStrict(data, &values); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return values
}

func compare(t *testing.T, file string, got []byte) {
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (write it with: go test ./addons -update)", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("addons/%s is another now; if that is meant: go test ./addons -update\n%s", file, diff)
	}
}

func fail(t *testing.T, err error) {
	t.Helper()
	t.Fatalf("%v\nhint: %s", err, hint.Of(err))
}
