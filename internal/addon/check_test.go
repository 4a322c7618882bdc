// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A token that leaves the data of Secrets is found in whatever shape, with its
// place and without its value.
func TestCheckSecrets(t *testing.T) {
	const object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
	const secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n"
	tests := []struct{ name, manifest, want string }{
		{"in a Secret", secret + `stringData: {a: {{ token "demo/gossip" }}}`, ""},
		{"as data of a Secret", secret + `data: {a: {{ token "demo/gossip" | b64enc }}}`, ""},
		{"public", object + `data: {a: {{ public "demo/ca" }}}`, ""},
		{"plain", object + `data: {a: {{ token "demo/gossip" }}}`, "4: data.a of ConfigMap demo/a depends on a secret"},
		{"base64", object + `data: {a: {{ token "demo/gossip" | b64enc }}}`, "4: data.a of ConfigMap demo/a depends on a secret"},
		{"hash", object + `data: {a: {{ token "demo/gossip" | sha256sum }}}`, "4: data.a of ConfigMap demo/a depends on a secret"},
		{"first letter", object + `data: {a: {{ token "demo/gossip" | trunc 1 }}}`, "4: data.a of ConfigMap demo/a depends on a secret"},
		{"as a key", object + `data: { {{ token "demo/gossip" | sha256sum }}: a}`, "4: data of ConfigMap demo/a depends on a secret"},
		{"in a list", object + `data: [1, {{ token "demo/gossip" }}]`, "4: data[1] of ConfigMap demo/a depends on a secret"},
		{"as a key of a Secret", secret + `stringData: { {{ token "demo/gossip" | sha256sum }}: a}`, "4: data of Secret demo/a depends on a secret"},
		{"in a label of a Secret", secret + `type: {{ token "demo/gossip" }}`, "4: type of Secret demo/a depends on a secret"},
		{"as a name", "apiVersion: v1\nkind: Secret\nmetadata: {name: '{{ token \"demo/gossip\" }}'}", "4: the name of Secret depends on a secret"},
		{"as a condition", object + `{{ if eq (token "demo/gossip") "1demo/gossip" }}` + "\n---\n" + strings.Replace(object, "a}", "b}", 1) + "{{ end }}", "the number of objects depends on a secret: 3 and 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := mustLoad(t, "addon.yaml", header+"tokens: [{name: gossip, kind: gossip-key}, {name: ca, kind: ca}]\n", "manifests/m.yaml", "# first\n---\n# second\n"+tt.manifest)
			var renders [2][]Object
			for i, prefix := range []fakeTokens{"1", "2"} {
				var err error
				if renders[i], err = Render(Input{Addon: a, Environment: "test", Tokens: prefix}); err != nil {
					t.Fatal(err)
				}
			}
			err := CheckSecrets(renders[0], renders[1])
			want := tt.want
			if want != "" && want[0] != 't' {
				want = "addons/demo/manifests/m.yaml:" + want
			}
			if got := textOf(err); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// The keys of a Secret whose values come from tokens are told by their names,
// whatever a template made of the token.
func TestTokenKeys(t *testing.T) {
	a := mustLoad(t, "addon.yaml", header+"tokens: [{name: gossip, kind: gossip-key}]\n", "manifests/m.yaml", `
apiVersion: v1
kind: Secret
metadata: {name: a}
data: {plain: YQ==, hashed: '{{ token "demo/gossip" | sha256sum | b64enc }}'}
stringData: {url: 'http://{{ token "demo/gossip" }}@web', user: admin}
---
{apiVersion: v1, kind: Secret, metadata: {name: b}, data: {plain: YQ==}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}
`)
	var renders [2][]Object
	for i, prefix := range []fakeTokens{"1", "2"} {
		var err error
		if renders[i], err = Render(Input{Addon: a, Environment: "test", Tokens: prefix}); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string][]string{}
	for i, keys := range TokenKeys(renders[0], renders[1]) {
		if len(keys) > 0 {
			got[renders[0][i].Title()] = keys
		}
	}
	if diff := cmp.Diff(map[string][]string{"Secret demo/a": {"hashed", "url"}}, got); diff != "" {
		t.Error(diff)
	}
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Add-ons share a namespace without sharing its object; any other object that
// two of them hold is refused with both places.
func TestDistinct(t *testing.T) {
	const yaml = header + "namespace: shared\n"
	const manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "
	one := mustRender(t, mustLoad(t, "addon.yaml", yaml, "manifests/m.yaml", manifest+"one}\n"))
	two := mustRender(t, mustLoad(t, "addon.yaml", yaml, "manifests/m.yaml", manifest+"two}\n"))
	sets, err := Distinct([][]Object{one, two})
	if err != nil {
		t.Fatal(err)
	}
	var titles []string
	for _, set := range sets {
		for _, o := range set {
			titles = append(titles, o.Title())
		}
	}
	if diff := cmp.Diff([]string{"Namespace shared", "ConfigMap shared/one", "ConfigMap shared/two"}, titles); diff != "" {
		t.Error(diff)
	}
	_, err = Distinct([][]Object{one, one})
	if want := "addons/demo/manifests/m.yaml:1: ConfigMap shared/one is also in addons/demo/manifests/m.yaml:1"; textOf(err) != want {
		t.Errorf("error %v", err)
	}
}

func TestMirror(t *testing.T) {
	images := map[string]string{
		"docker.io":                    "mirror.local/hub",
		"docker.io/hashicorp/":         "mirror.local/hashi/",
		"docker.io/library/redis":      "mirror.local/redis",
		"docker.io/library/nginx":      "mirror.local/nginx@sha256:" + strings.Repeat("a", 64),
		"docker.io/hashicorp/vault:1":  "mirror.local/vault:one",
		"registry.local:5000/team/app": "x.local/app",
	}
	for ref, want := range map[string]string{
		"docker.io/library/alpine:3":         "mirror.local/hub/library/alpine:3",
		"docker.io/hashicorp/consul:1@x":     "mirror.local/hashi/consul:1@x",
		"docker.io/hashicorp/vault:1":        "mirror.local/vault:one",
		"docker.io/hashicorp/vault:2":        "mirror.local/hashi/vault:2",
		"docker.io/library/redis:7":          "mirror.local/redis:7",
		"docker.io/library/nginx:1.29":       images["docker.io/library/nginx"],
		"quay.io/library/nginx:1.29":         "quay.io/library/nginx:1.29",
		"docker.iox/a:1":                     "docker.iox/a:1",
		"registry.local:5000/team/app:2":     "x.local/app:2",
		"registry.local:5000/team/app/sub:2": "x.local/app/sub:2",
	} {
		if got := Mirror(ref, images); got != want {
			t.Errorf("Mirror(%s) = %s, want %s", ref, got, want)
		}
	}
}
