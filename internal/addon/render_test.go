// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"clusterup.dev/clusterup/internal/hint"
)

const everything = `{{- /* a comment first */ -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Addon.Name }}-web
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels: {{- include "labels" (list . "web") | nindent 6 }}
  template:
    spec:
      securityContext: {{- include "podSecurityContext" 100 | nindent 8 }}
      containers:
        - name: web
          image: {{ image "web" }}
---
# only a comment
---
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: ConfigMap
    metadata: {name: config}
    data:
      server.hcl: {{ file "server.hcl" | quote }}
      ca.pem: {{ public "demo/ca" }}
      names: {{ glob "*.hcl" | join "," }}
  - apiVersion: v1
    kind: Secret
    metadata: {name: gossip, labels: {app.kubernetes.io/name: other}}
    stringData: {key: {{ token "demo/gossip" }}}
    data: {other: AAAA}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: demo}
`

const rendered = `---
# Source: addons/demo/addon.yaml
apiVersion: v1
kind: Namespace
metadata:
  labels:
    app.kubernetes.io/managed-by: clusterup
    app.kubernetes.io/name: demo
    app.kubernetes.io/version: 1.2.3_ent
    clusterup.dev/addon: demo
    clusterup.dev/environment: test
  name: demo
---
# Source: addons/demo/manifests/all.yaml
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  labels:
    app.kubernetes.io/managed-by: clusterup
    app.kubernetes.io/name: demo
    app.kubernetes.io/version: 1.2.3_ent
    clusterup.dev/addon: demo
    clusterup.dev/environment: test
  name: demo
---
# Source: addons/demo/manifests/all.yaml
apiVersion: v1
data:
  ca.pem: public demo/ca
  names: agent.hcl,server.hcl
  server.hcl: a = 1
kind: ConfigMap
metadata:
  labels:
    app.kubernetes.io/managed-by: clusterup
    app.kubernetes.io/name: demo
    app.kubernetes.io/version: 1.2.3_ent
    clusterup.dev/addon: demo
    clusterup.dev/environment: test
  name: config
  namespace: demo
---
# Source: addons/demo/manifests/all.yaml
apiVersion: v1
data:
  other: AAAA
kind: Secret
metadata:
  labels:
    app.kubernetes.io/managed-by: clusterup
    app.kubernetes.io/name: other
    app.kubernetes.io/version: 1.2.3_ent
    clusterup.dev/addon: demo
    clusterup.dev/environment: test
  name: gossip
  namespace: demo
stringData:
  key: s3cr3t-demo/gossip
---
# Source: addons/demo/manifests/all.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  labels:
    app.kubernetes.io/managed-by: clusterup
    app.kubernetes.io/name: demo
    app.kubernetes.io/version: 1.2.3_ent
    clusterup.dev/addon: demo
    clusterup.dev/environment: test
  name: demo-web
  namespace: demo
spec:
  replicas: 2
  selector:
    matchLabels:
      app.kubernetes.io/component: web
      app.kubernetes.io/name: demo
  template:
    spec:
      containers:
      - image: mirror.example/library/web:1.0
        name: web
      securityContext:
        fsGroup: 100
        fsGroupChangePolicy: OnRootMismatch
        runAsGroup: 100
        runAsNonRoot: true
        runAsUser: 100
        seccompProfile:
          type: RuntimeDefault
`

// A render with everything that a folder can use: order, labels, namespace,
// partials, tokens, files, images, lists and empty documents.
func TestRender(t *testing.T) {
	a := mustLoad(t,
		"addon.yaml", "apiVersion: clusterup.dev/v1alpha1\nkind: Addon\nname: demo\nversion: 1.2.3+ent\nvalues: {replicas: 1}\n"+
			"images: {web: docker.io/library/web:1.0}\ntokens: [{name: ca, kind: ca}, {name: gossip, kind: gossip-key}]\n",
		"manifests/all.yaml", everything,
		"files/server.hcl", "a = 1", "files/agent.hcl", "b = 2", "files/README.md", "")
	objects, err := Render(Input{
		Addon: a, Values: map[string]any{"replicas": 2.0}, Environment: "test", Tokens: fakeTokens("s3cr3t-"),
		Images: map[string]string{"docker.io/": "mirror.example"},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := WriteYAML(objects)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rendered, string(got)); diff != "" {
		t.Error(diff)
	}
	lines := make(map[string]int)
	for _, o := range objects {
		lines[o.GetKind()] = o.Line
	}
	want := map[string]int{"Namespace": 0, "ClusterRole": 35, "ConfigMap": 19, "Secret": 19, "Deployment": 2}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error("lines: " + diff)
	}
}

// Errors name file and line of the template, tell what to do, and hold no token.
func TestRenderErrors(t *testing.T) {
	const tokens = "tokens: [{name: gossip, kind: gossip-key}, {name: ca, kind: ca}]\nneeds: [consul]\nvalues: {replicas: 1, none: null}\nimages: {web: docker.io/web/web:1}\n"
	const object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
	tests := []struct{ name, manifest, err, hint string }{
		{"template syntax", "a: 1\nb: {{ if }}\n", "addons/demo/manifests/m.yaml:2: missing value for if", ""},
		{"unknown function", "{{ env \"HOME\" }}", `addons/demo/manifests/m.yaml:1: function "env" not defined`, ""},
		{"missing value", "a: 1\nb: {{ .Values.replcas }}\n", `addons/demo/manifests/m.yaml:2:13: map has no entry for key "replcas"`, "did you mean replicas?"},
		{"null value", "a: 1\nb: {{ .Values.none }}\n", "addons/demo/manifests/m.yaml:2: a value is null and would be printed as <no value>", ""},
		{"token without add-on", `a: {{ token "gossip" }}`, `addons/demo/manifests/m.yaml:1:6: "gossip" names no token`, "write add-on and name: demo/gossip"},
		{"unknown token", `a: {{ token "demo/gosip" }}`, "addons/demo/manifests/m.yaml:1:6: there is no token demo/gosip", "did you mean demo/gossip?"},
		{"token not needed", `a: {{ token "vault/x" }}`, "addons/demo/manifests/m.yaml:1:6: token vault/x belongs to vault, which demo does not need", "list vault under needs in addons/demo/addon.yaml"},
		{"absent token of a need", `a: {{ token "consul/absent" }}`, "addons/demo/manifests/m.yaml:1:6: there is no token consul/absent", "the tokens of consul are listed in its addon.yaml"},
		{"key of the environment's CA", `a: {{ token "clusterup/ca" }}`, "addons/demo/manifests/m.yaml:1:6: token clusterup/ca is the environment's own, and no add-on's to read", "give the add-on a token of kind cert with `ca: clusterup/ca`; {{ public \"clusterup/ca\" }} is for those who verify it"},
		{"another of the environment's", `a: {{ public "clusterup/digest" }}`, "addons/demo/manifests/m.yaml:1:6: there is no token clusterup/digest", "what the environment itself shows is clusterup/ca"},
		{"no public half", `a: {{ public "demo/gossip" }}`, "addons/demo/manifests/m.yaml:1:6: token demo/gossip has no public half", ""},
		{"unknown image", `a: {{ image "wep" }}`, `addons/demo/manifests/m.yaml:1:6: there is no image "wep" in addon.yaml`, "did you mean web?"},
		{"unknown file", `a: {{ file "../addon.yaml" }}`, "addons/demo/manifests/m.yaml:1:6: there is no file addons/demo/addon.yaml", ""},
		{"glob", `a: {{ glob "*.x" }}`, "addons/demo/manifests/m.yaml:1:6: no file matches addons/demo/files/*.x", ""},
		{"unknown template", `a: {{ include "label" . }}`, `addons/demo/manifests/m.yaml:1:6: there is no template "label"`, "did you mean labels?"},
		{"in a partial", `a: {{ include "labels" (list 1 2) }}`, "addons/demo/manifests/m.yaml:1:6: can't evaluate field Addon in type int (templates/partials/labels.tpl:11:32)", ""},
		{"endless include", `{{ define "x" }}{{ include "x" . }}{{ end }}{{ include "x" . }}`, "addons/demo/manifests/m.yaml:1:47: templates include each other more than 100 deep (addons/demo/manifests/m.yaml:1:19)", ""},
		{"quoted token", "a: 1\nb: {{ fail (token \"demo/gossip\") }}", "addons/demo/manifests/m.yaml:2:6: (secret)", ""},
		{
			"bad yaml", "{{ if true }}\n" + object + "data:\n  a: b: c\n{{ end }}", "addons/demo/manifests/m.yaml:6: not valid YAML once rendered: mapping values are not allowed in this context",
			"a value with special characters needs quotes, and what is included needs nindent",
		},
		{
			"bad yaml later", object + "---\n" + object + "{{- range list 1 2 }}\n{{ end }}\ndata:\n  a: b: c\n", "addons/demo/manifests/m.yaml:11: not valid YAML once rendered: mapping values are not allowed in this context",
			"a value with special characters needs quotes, and what is included needs nindent",
		},
		{"doubled key", object + "data:\n  a: x\n  a: y\n", `addons/demo/manifests/m.yaml:6: not valid YAML once rendered: key "a" already set in map`, ""},
		{"no object", "\n- 1\n", "addons/demo/manifests/m.yaml:2: the document is not an object but a list", ""},
		{"no kind", "\napiVersion: v1\n", "addons/demo/manifests/m.yaml:2: the object has no kind", ""},
		{"no metadata", "apiVersion: v1\nkind: Pod\n", "addons/demo/manifests/m.yaml:1: the Pod has no metadata", ""},
		{"no name", "apiVersion: v1\nkind: Pod\nmetadata: {}\n", "addons/demo/manifests/m.yaml:1: the Pod has no name", ""},
		{"numeric name", "apiVersion: v1\nkind: Pod\nmetadata: {name: 1}\n", "addons/demo/manifests/m.yaml:1: metadata.name of the Pod is a number", "put it in quotes"},
		{"generateName", "apiVersion: v1\nkind: Pod\nmetadata: {generateName: x}\n", "addons/demo/manifests/m.yaml:1: the Pod has a generateName", "give it a name: what is applied again and again needs one"},
		{"label", "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {x: true}}\n", "addons/demo/manifests/m.yaml:1: label x of Pod a is a boolean", "put it in quotes"},
		{"cluster-scoped", "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, namespace: b}\n", "addons/demo/manifests/m.yaml:1: Namespace a is in a namespace, and its kind has none", "remove metadata.namespace"},
		{"not base64", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {a: '!'}\n", "addons/demo/manifests/m.yaml:1: data.a of Secret a is not base64", "write plain text under stringData"},
		{"stringData", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {a: 1}\n", "addons/demo/manifests/m.yaml:1: stringData.a of Secret a is a number", "put it in quotes"},
		{"twice", object + "---\n" + object, "addons/demo/manifests/m.yaml:5: ConfigMap demo/a is also in addons/demo/manifests/m.yaml:1", ""},
		{"separator", object + "--- {a: b}\n", "addons/demo/manifests/m.yaml:4: a document cannot start on the line of its ---", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := mustLoad(t, "addon.yaml", header+tokens, "manifests/m.yaml", tt.manifest)
			_, err := render(t, a, nil)
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
}
