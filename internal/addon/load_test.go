// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

const full = header + `description: one line
namespace: other
needs: [consul]
values: {replicas: 3, domain: example.org, list: [{name: a}]}
images: {web: "docker.io/library/web:1"}
tokens:
  - {name: ca, kind: ca, commonName: "CA of {{ .Environment.Name }}"}
  - {name: server, kind: cert, ca: ca, server: true, dns: ["*.{{ .Values.domain }}", localhost], ips: [127.0.0.1]}
  - {name: pw, kind: password, length: 20}
ready: {timeout: 90s, skip: [StatefulSet/web, Job]}
hooks:
  - {use: demo.start, with: {n: "{{ .Values.replicas }}", all: "{{ toJson .Values.list }}", plain: "3", deep: [{x: "{{ .Addon.Version }}"}]}}
  - {use: wait}
consul:
  policies: [{name: "{{ .Addon.Name }}", file: files/p.hcl}]
`

// Everything that addon.yaml can say is read, and its templates carried out.
func TestLoad(t *testing.T) {
	a := mustLoad(t, "addon.yaml", full)
	if a.Namespace != "other" || a.Ready.Timeout != 90*time.Second || !cmp.Equal(a.Ready.Skip, []string{"StatefulSet/web", "Job"}) {
		t.Errorf("%+v", a)
	}
	specs, err := a.Specs("test", a.Values)
	if err != nil {
		t.Fatal(err)
	}
	wantSpecs := []secret.Spec{
		{Addon: "demo", Name: "ca", Kind: secret.CA, CommonName: "CA of test"},
		{Addon: "demo", Name: "server", Kind: secret.Cert, CA: "demo/ca", Server: true, DNS: []string{"*.example.org", "localhost"}, IPs: []string{"127.0.0.1"}},
		{Addon: "demo", Name: "pw", Kind: secret.Password, Length: 20},
	}
	if diff := cmp.Diff(wantSpecs, specs); diff != "" {
		t.Error(diff)
	}
	hooks, err := a.HookCalls("test", a.Values)
	if err != nil {
		t.Fatal(err)
	}
	wantHooks := []Hook{
		{Use: "demo.start", With: map[string]any{
			"n": 3, "all": []any{map[string]any{"name": "a"}}, "plain": "3", "deep": []any{map[string]any{"x": "1.2.3"}},
		}},
		{Use: "wait", With: map[string]any{}},
	}
	if diff := cmp.Diff(wantHooks, hooks); diff != "" {
		t.Error(diff)
	}
	asks, err := a.Asks("test", a.Values)
	wantAsks := map[string]map[string]any{"consul": {"policies": []any{map[string]any{"name": "demo", "file": "files/p.hcl"}}}}
	if diff := cmp.Diff(wantAsks, asks); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if got := a.At("tokens", 1, "dns", 1); got != "addons/demo/addon.yaml:12:86" {
		t.Errorf("At = %s", got)
	}
}

// What is wrong in addon.yaml is named with its place, and the nearest right name.
func TestLoadErrors(t *testing.T) {
	const file = "addons/demo/addon.yaml"
	const likeDiff = `write it as diff does: spec.replicas, spec.containers[name=web].image or metadata.annotations["a.b/c"]`
	tests := []struct{ name, yaml, err, hint string }{
		{"empty", "", file + ": it is empty", ""},
		{"syntax", header + "needs: [\n", file + ":5: did not find expected node content", ""},
		{"unknown field", header + "need: [x]\n", file + `:5:1: unknown field "need"`, "did you mean needs?"},
		{"unknown mapping", header + "vault: {}\n", file + `:5:1: unknown field "vault"`, "there are: apiVersion, demo, description, hooks, ignore, images, kind, name, namespace, needs, protect, ready, replace, source, tokens, uses, values, version"},
		{"doubled in values", header + "values: {a: {b: 1, b: 2}}\n", file + ":5:20: values.a.b is given twice, first in line 5", ""},
		{"duration", header + "ready: {timeout: 5x}\n", file + ":5:18: \"5x\" is not a time to wait", `write it like "90s" or "5m"`},
		{"apiVersion", strings.Replace(header, "v1alpha1", "v2", 1), file + `:1:13: apiVersion is "clusterup.dev/v2"`, "this program reads clusterup.dev/v1alpha1"},
		{"kind", strings.Replace(header, "Addon", "Adon", 1), file + `:2:7: kind is "Adon"`, "it has to be Addon"},
		{"name", strings.Replace(header, "demo", "De_mo", 1), file + `:3:7: "De_mo" cannot name an add-on`, "small letters, digits and hyphens, at most 63, such as de-mo"},
		{"folder", strings.Replace(header, "demo", "dome", 1), file + ":3:7: the add-on is named dome and its folder demo", "give both the same name"},
		{"version", strings.Replace(header, "1.2.3", `""`, 1), file + ":4:10: version is missing", ""},
		{"namespace", header + "namespace: A\n", file + `:5:12: "A" cannot name a namespace`, ""},
		{"needs itself", header + "needs: [demo]\n", file + ":5:9: demo needs itself", ""},
		{"needs twice", header + "needs: [a, a]\n", file + ":5:12: a is needed twice", ""},
		{"image", header + "images: {web: nginx}\n", file + `:5:15: "nginx" names no image`, "registry, path and version: docker.io/hashicorp/consul:1.21.4"},
		{"latest", header + "images: {web: docker.io/library/nginx:latest}\n", file + ":5:15: image docker.io/library/nginx:latest has no exact version", "give a tag other than latest, or a digest"},
		{"token kind", header + "tokens: [{name: a, kind: pasword}]\n", file + `:5:26: token a is of the unknown kind "pasword"`, "did you mean password?"},
		{"token twice", header + "tokens: [{name: a, kind: ca}, {name: a, kind: ca}]\n", file + ":5:38: token a is listed twice", ""},
		{"cert without ca", header + "tokens: [{name: a, kind: cert}]\n", file + ":5:10: the certificate a has no ca", "name a token of kind ca"},
		{"cert of no ca", header + "tokens: [{name: p, kind: password}, {name: a, kind: cert, ca: p}]\n", file + ":5:63: the certificate a names demo/p, which is no token of kind ca", ""},
		{"cert of another", header + "tokens: [{name: a, kind: cert, ca: consul/ca}]\n", file + ":5:36: demo uses a token of consul, which it does not need", "list consul under needs"},
		{"environment's name", strings.Replace(header, "demo", "clusterup", 1), file + ":3:7: clusterup is where the environment's own tokens are and cannot name an add-on", ""},
		{"cert of the environment's", header + "tokens: [{name: a, kind: cert, ca: clusterup/digest}]\n", file + ":5:36: the environment has no authority clusterup/digest", "it is called clusterup/ca"},
		{"no cert", header + "tokens: [{name: a, kind: password, dns: [x]}]\n", file + ":5:10: token a is no certificate, and has fields of one", ""},
		{"skip", header + "ready: {skip: [web]}\n", file + `:5:16: "web" names no object`, `write kind and name, or the kind for all of it: "Job/migrate" or "Job"`},
		{"path", header + "ignore: [{object: ConfigMap/a, fields: ['data[\"a\\q\"]']}]\n", file + `:5:41: "data[\"a\\q\"]" is not the path of a field`, likeDiff},
		{"path with an index", header + "ignore: [{object: ConfigMap/a, fields: ['data[00]']}]\n", file + `:5:41: "data[00]" is not the path of a field`, likeDiff},
		{"path of a name", header + "ignore: [{object: ConfigMap, fields: [metadata.name]}]\n", file + ":5:39: metadata.name cannot be ignored: the object is known by it", ""},
		{"path of readiness", header + "ready: {objects: [{object: Widget, field: status., is: x}]}\n", file + `:5:43: "status." is not the path of a field`, likeDiff},
		{"hook", header + "hooks: [{use: Run It}]\n", file + `:5:15: "Run It" cannot name a hook`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(folder("addon.yaml", tt.yaml), "addons/demo")
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(tt.err, err.Error()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.hint, hint.Of(err)); diff != "" {
				t.Error("hint: " + diff)
			}
		})
	}
	if _, err := Load(fstest.MapFS{"x": {}}, "addons/demo"); err == nil || err.Error() != "addons/demo: has no addon.yaml" {
		t.Errorf("without addon.yaml: %v", err)
	}
}

// Templates in addon.yaml that fail say where they stand.
func TestExpandErrors(t *testing.T) {
	tests := []struct{ name, yaml, err, hint string }{
		{"syntax", "hooks: [{use: x, with: {a: '{{ if }}'}}]", "addons/demo/addon.yaml:5:28: missing value for if", ""},
		{"missing", "values: {replicas: 1}\nhooks: [{use: x, with: {a: ['{{ .Values.replica }}']}}]", `addons/demo/addon.yaml:6:29: map has no entry for key "replica"`, "did you mean replicas?"},
		{"null", "values: {a: null}\nhooks: [{use: x, with: {a: '{{ .Values.a }}'}}]", "addons/demo/addon.yaml:6:28: a value is null and would be printed as <no value>", ""},
		{"no YAML", "hooks: [{use: x, with: {a: '{{ \"[\" }}'}}]", "addons/demo/addon.yaml:5:28: the template gives no YAML: line 1: did not find expected node content", ""},
		{"token", "tokens: [{name: a, kind: password}]\nhooks: [{use: x, with: {a: '{{ token \"demo/a\" }}'}}]", `addons/demo/addon.yaml:6:28: function "token" not defined`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := mustLoad(t, "addon.yaml", header+tt.yaml)
			_, err := a.HookCalls("test", a.Values)
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(tt.err, err.Error()) + cmp.Diff(tt.hint, hint.Of(err)); diff != "" {
				t.Error(diff)
			}
		})
	}
	a := mustLoad(t, "addon.yaml", header+"values: {ip: x}\ntokens: [{name: ca, kind: ca}, {name: a, kind: cert, ca: ca, server: true, ips: ['{{ .Values.ip }}']}]")
	if _, err := a.Specs("test", a.Values); err == nil || err.Error() != `addons/demo/addon.yaml:6:32: token demo/a: "x" is not an IP address` {
		t.Errorf("a token that the values make impossible: %v", err)
	}
}
