// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"strings"
	"testing"
	"testing/fstest"

	"clusterup.dev/clusterup/internal/secret"
)

// header is the least that addon.yaml can say.
const header = "apiVersion: clusterup.dev/v1alpha1\nkind: Addon\nname: demo\nversion: 1.2.3\n"

// folder makes an add-on folder named demo of pairs of path and content.
func folder(pairs ...string) fstest.MapFS {
	files := fstest.MapFS{MetadataFile: {Data: []byte(header)}}
	for i := 0; i+1 < len(pairs); i += 2 {
		files[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return files
}

func mustLoad(t testing.TB, pairs ...string) *Addon {
	t.Helper()
	a, err := Load(folder(pairs...), "addons/demo")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// fakeTokens answers every id with its prefix and the id.
type fakeTokens string

func (f fakeTokens) Secret(id string) (secret.Value, bool) {
	return secret.NewString(string(f) + id), !strings.Contains(id, "absent")
}

func (f fakeTokens) Public(id string) (string, bool) {
	if !strings.Contains(id, "ca") {
		return "", !strings.Contains(id, "absent")
	}
	return "public " + id, true
}

func render(t testing.TB, a *Addon, values map[string]any) ([]Object, error) {
	t.Helper()
	merged, err := a.Merge(values)
	if err != nil {
		t.Fatal(err)
	}
	return Render(Input{Addon: a, Values: merged, Environment: "test", Tokens: fakeTokens("s3cr3t-")})
}

func mustRender(t testing.TB, a *Addon) []Object {
	t.Helper()
	objects, err := render(t, a, nil)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}
