// SPDX-License-Identifier: Apache-2.0

package addon

import "testing"

// The line of a field is that of the template that gave it: through actions,
// partials and Lists, and of the nearest thing above a field that is not there.
func TestPlace(t *testing.T) {
	a := mustLoad(t, "addon.yaml", header+"values: {list: [x, y]}\n", "manifests/_p.tpl", `{{ define "p" }}
c: 3
d: {e: 4}{{ end }}`, "manifests/m.yaml", `# a comment
apiVersion: v1
kind: ConfigMap
metadata:
  name: a
  labels: {"a.b/c": x}
data:
  {{- range .Values.list }}
  {{ . }}: {{ . }}
  {{- end }}
  last: z
  {{- include "p" . | nindent 2 }}
---
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: Secret
    metadata: {name: b}
    stringData:
      k: v
      01-init: w
  - apiVersion: v1
    kind: Service
    metadata: {name: c}
    spec:
      ports:
        - name: http
          port: 80
        - name: "metrics]"
          port: 90
`)
	objects, err := Render(Input{Addon: a, Values: a.Values, Environment: "test", Tokens: fakeTokens(""), Places: true})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, o := range objects {
		for _, path := range []string{"kind", `metadata.labels["a.b/c"]`, "data.x", "data.last", "data.c", "data.k", "data.01-init", "spec.ports[name=http].port", `spec.ports[name="metrics]"].port`, "spec.ports[1].port", "spec.ports[port=91]", "spec.none[3].x", "metadata.none", `metadata["`, "[", "[0]", "[-1].x"} {
			if file, line := o.Place(path); file == "addons/demo/manifests/m.yaml" {
				got[o.GetKind()+" "+path] = line
			} else if o.GetKind() != "Namespace" {
				t.Errorf("%s of %s is in %s", path, o.Title(), file)
			}
		}
	}
	for name, want := range map[string]int{
		"ConfigMap kind": 3, `ConfigMap metadata.labels["a.b/c"]`: 6, "ConfigMap data.x": 9, "ConfigMap data.last": 11, "ConfigMap data.c": 11,
		"ConfigMap spec.none[3].x": 2, "ConfigMap metadata.none": 4, "ConfigMap [": 2, "ConfigMap [-1].x": 2,
		"Secret kind": 18, "Secret data.k": 21, "Secret data.01-init": 22, "Secret metadata.none": 19,
		"Service spec.ports[name=http].port": 29, `Service spec.ports[name="metrics]"].port`: 31, "Service spec.ports[1].port": 31, "Service spec.ports[port=91]": 27,
	} {
		if got[name] != want {
			t.Errorf("%s is in line %d, want %d", name, got[name], want)
		}
	}
}

// An environment may pin what an add-on names to a digest, with a tag beside it.
func TestMirrorToADigest(t *testing.T) {
	digest := "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for _, tt := range []struct{ key, to, want string }{
		{"docker.io/library/web:1.2", "mirror.local/web:1.2" + digest, "mirror.local/web:1.2" + digest},
		{"docker.io/library/web", "mirror.local/web:1.2" + digest, "mirror.local/web:1.2" + digest},
		{"docker.io/library/web:1.2", "docker.io/library/web" + digest, "docker.io/library/web" + digest},
		{"docker.io/library", "mirror.local:5000/hub", "mirror.local:5000/hub/web:1.2"},
	} {
		got := Mirror("docker.io/library/web:1.2", map[string]string{tt.key: tt.to})
		if got != tt.want || !Exact(got) {
			t.Errorf("%s: %s gives %s, want %s", tt.key, tt.to, got, tt.want)
		}
	}
	for ref, want := range map[string]bool{"nginx": false, "nginx:latest": false, "r:5000/nginx": false, "nginx:1": true, "nginx" + digest: true, "nginx:latest" + digest: true} {
		if Exact(ref) != want {
			t.Errorf("Exact(%s) = %v", ref, !want)
		}
	}
}
