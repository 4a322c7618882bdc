// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"strings"
	"testing"
	"testing/fstest"

	"clusterup.dev/clusterup/internal/hint"
)

// Templates see where the store is and whom to seal to, and may have the key of pods
// where there is one, without needing anybody.
func TestTemplatesKnowTheStore(t *testing.T) {
	files := fstest.MapFS{
		"addon.yaml": {Data: []byte("apiVersion: clusterup.dev/v1alpha1\nkind: Addon\nname: demo\nversion: 1.0.0\ndescription: a test\n")},
		"manifests/all.yaml": {Data: []byte("apiVersion: v1\nkind: Secret\nmetadata: {name: store}\nstringData:\n" +
			"  where: {{ .Environment.Store.Endpoint }} {{ index .Environment.Recipients 0 }}\n" +
			"  key: {{ token \"clusterup/store\" }}\n")},
	}
	a, err := Load(files, "addons/demo")
	if err != nil {
		t.Fatal(err)
	}
	in := Input{
		Addon: a, Environment: "test", Tokens: fakeTokens("s3cr3t-"),
		Site: Site{Store: Store{Endpoint: "https://10.0.0.1:1", Key: true}, Recipients: []string{"age1x"}},
	}
	objects, err := Render(in)
	if err != nil {
		t.Fatal(err)
	}
	text, err := WriteYAML(objects)
	if err != nil || !strings.Contains(string(text), "where: https://10.0.0.1:1 age1x") || !strings.Contains(string(text), "key: s3cr3t-clusterup/store") {
		t.Errorf("rendered %s, %v", text, err)
	}
	in.Site.Store.Key = false
	if _, err := Render(in); err == nil || !strings.Contains(hint.Of(err), ".Environment.Store.Key") {
		t.Errorf("without a key of pods: %v (hint: %s)", err, hint.Of(err))
	}
}
