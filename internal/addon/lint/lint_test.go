// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"clusterup.dev/clusterup/internal/addon"
)

const header = "apiVersion: clusterup.dev/v1alpha1\nkind: Addon\nname: demo\nversion: 1.2.3\n"

// files is an add-on folder without a finding, changed by pairs of path and
// content; an empty content takes a file away.
func files(pairs ...string) map[string]string {
	all := map[string]string{"addon.yaml": header, "testdata/default/values.yaml": ""}
	for i := 0; i+1 < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return all
}

// run lints the folders by their names, those that are not "other". Golden files
// are left out of what is found.
func run(t testing.TB, folders map[string]map[string]string) []string {
	t.Helper()
	fsys := fstest.MapFS{}
	names := []string{}
	for folder, files := range folders {
		if folder != "other" {
			names = append(names, folder)
		}
		for name, content := range files {
			fsys[folder+"/"+name] = &fstest.MapFile{Data: []byte(content)}
		}
	}
	catalog, err := addon.Find(addon.Source{Name: "addons", FS: fsys})
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{}
	for _, f := range Run(Options{Catalog: catalog, Names: names, Hooks: []string{"consul.quorum", "vault.init"}}) {
		if strings.HasSuffix(f.File, "/golden.yaml") && f.Line == 0 {
			continue
		}
		line := fmt.Sprintf("%s: %s: %s", strings.TrimPrefix(f.Where(), "addons/"), f.Level, f.Message)
		if f.Hint != "" {
			line += " | " + f.Hint
		}
		lines = append(lines, line)
	}
	return lines
}

const (
	config     = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"
	pod        = "\n    metadata: {labels: {a: b}}\n    spec:\n      securityContext: {runAsNonRoot: true}\n      containers:\n"
	deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  selector: {matchLabels: {a: b}}\n  template:" + pod
	container  = "        - name: web\n          image: {{ image \"web\" }}\n          resources: {requests: {cpu: 1m, memory: 1Mi}}\n          securityContext: {privileged: false}\n          readinessProbe: {httpGet: {port: 80}}\n"
	images     = header + "images: {web: docker.io/library/web:1}\n"
	crdOf      = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: widgets.example.org}\nspec:\n  group: example.org\n  scope: Namespaced\n  names: {plural: widgets, kind: Widget}\n  versions:\n    - name: v1\n      served: true\n      storage: true\n      schema: {openAPIV3Schema: {type: object, required: [spec], properties: {spec: {type: object, properties: {size: {type: integer}}}}}}\n"
)

// bare is a Deployment that a cluster would suffer.
func bare(image string) string {
	text := strings.Replace(deployment, "      securityContext: {runAsNonRoot: true}\n", "", 1)
	return text + "        - name: web\n          image: " + image + "\n"
}

// careful is one without a finding but for its image.
func careful(image string) string {
	return deployment + strings.Replace(container, `{{ image "web" }}`, image, 1)
}

// Each rule, with its whole message: the place in the folder, the values that it
// takes, the hint.
func TestRules(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"nothing wrong": {files("addon.yaml", images, "manifests/web.yaml", deployment+container), nil},

		"addon.yaml": {
			files("addon.yaml", header+"images: {a: nginx, b: docker.io/library/b}\nneeds: [demo]\n"),
			[]string{
				"demo/addon.yaml:5:13: error: \"nginx\" names no image | registry, path and version: docker.io/hashicorp/consul:1.21.4",
				"demo/addon.yaml:5:23: error: image docker.io/library/b has no exact version | give a tag other than latest, or a digest",
				"demo/addon.yaml:6:9: error: demo needs itself",
			},
		},
		"no such need": {files("addon.yaml", header+"needs: [othr]\n"), []string{"demo/addon.yaml:5:9: error: demo needs othr, and there is no such add-on | did you mean other?"}},
		"no such hook": {files("addon.yaml", header+"hooks: [{use: vault.int}]\n"), []string{"demo/addon.yaml:5:15: error: there is no hook \"vault.int\" | did you mean vault.init?"}},
		"no such file": {
			files("addon.yaml", header+"demo: {policies: [{file: files/polcy.hcl}]}\n", "files/policy.hcl", "x", "manifests/a.yaml", config+"data:\n  a: {{ file \"x.conf\" }}\n"),
			[]string{
				"demo/addon.yaml:5:26: error: there is no file addons/demo/files/polcy.hcl | did you mean files/policy.hcl?",
				"demo/manifests/a.yaml:6:8: error: there is no file addons/demo/files/x.conf",
			},
		},
		"no testdata": {map[string]string{"addon.yaml": header}, []string{"demo: warning: has no testdata: nobody sees what a change does to the manifests | make testdata/default/values.yaml, which may be empty, and run `clusterup addon lint --update`"}},

		"every template": {
			files("manifests/a.yaml", config+"data: {a: {{ .Values.x }}}\n", "manifests/b.yaml", config+"data: {b: {{ image \"x\" }}}\n"),
			[]string{
				"demo/manifests/a.yaml:5:20: error: map has no entry for key \"x\"",
				"demo/manifests/b.yaml:5:13: error: there is no image \"x\" in addon.yaml",
			},
		},
		"twice the same": {
			files("manifests/a.yaml", config+"---\n"+config),
			[]string{"demo/manifests/a.yaml:6: error: ConfigMap demo/a is also in addons/demo/manifests/a.yaml:1"},
		},
		"a token outside": {
			files("addon.yaml", header+"tokens: [{name: t, kind: password}]\n", "manifests/a.yaml", config+"data: {a: {{ token \"demo/t\" | sha256sum }}}\n"),
			[]string{"demo/manifests/a.yaml:1: error: data.a of ConfigMap demo/a depends on a secret | tokens belong into data and stringData of Secrets only: refer to the Secret from here"},
		},
		"a token of another": {
			files("manifests/a.yaml", config+"data: {a: {{ public \"other/ca\" }}}\n"),
			[]string{"demo/manifests/a.yaml:5:13: error: token other/ca belongs to other, which demo does not need | list other under needs in addons/demo/addon.yaml"},
		},

		"fields": {
			files("addon.yaml", images, "manifests/web.yaml", strings.Replace(deployment, "spec:\n", "spec:\n  replicas: three\n  replica: 1\n", 1)+container),
			[]string{
				"demo/manifests/web.yaml:6: error: Deployment demo/web: spec.replicas: has to be a whole number, and is the text \"three\"",
				"demo/manifests/web.yaml:7: error: Deployment demo/web: spec.replica: there is no such field | did you mean replicas?",
			},
		},
		"a field of an item": {
			files("addon.yaml", images, "manifests/web.yaml", deployment+container+"          prots: []\n        - {}\n"),
			[]string{
				"demo/manifests/web.yaml:17: error: Deployment demo/web: spec.template.spec.containers[0].prots: there is no such field | did you mean ports?",
				"demo/manifests/web.yaml:18: error: Deployment demo/web: spec.template.spec.containers[1].image: is missing",
				"demo/manifests/web.yaml:18: error: Deployment demo/web: spec.template.spec.containers[1].name: is missing",
			},
		},
		"a field from a partial": {
			files("manifests/_x.tpl", "{{ define \"x\" }}\nimmutable: maybe\n{{ end }}", "manifests/a.yaml", config+"data: {}\n{{ include \"x\" . }}\n"),
			[]string{"demo/manifests/a.yaml:6: error: ConfigMap demo/a: immutable: has to be true or false, and is the text \"maybe\""},
		},
		"in a List": {
			files("manifests/a.yaml", "apiVersion: v1\nkind: List\nitems:\n  - apiVersion: v1\n    kind: ConfigMap\n    metadata: {name: a}\n    data:\n      k: 1\n"),
			[]string{"demo/manifests/a.yaml:8: error: ConfigMap demo/a: data.k: has to be text, and is 1 | put it in quotes: \"1\""},
		},
		"kinds": {
			files("manifests/a.yaml", strings.Replace(config, "ConfigMap", "ConfgMap", 1), "manifests/b.yaml", strings.Replace(config, "v1", "apps/v1beta1", 1),
				"manifests/c.yaml", "apiVersion: example.org/v1\nkind: Widget\nmetadata: {name: w}\n"),
			[]string{
				"demo/manifests/a.yaml:2: error: ConfgMap demo/a: there is no kind ConfgMap in v1 | did you mean ConfigMap?",
				"demo/manifests/b.yaml:2: error: ConfigMap demo/a: there is no kind ConfigMap in apps/v1beta1 | ConfigMap is in v1",
				"demo/manifests/c.yaml:2: error: Widget w: nobody defines the kind Widget of example.org/v1 | its CustomResourceDefinition belongs into this folder, or into one of an add-on that it needs",
			},
		},
		"custom resources": {
			files("manifests/crd.yaml", crdOf, "manifests/w.yaml", "apiVersion: example.org/v1\nkind: Widget\nmetadata: {name: w}\nspec:\n  size: big\n---\napiVersion: example.org/v1\nkind: Wdget\nmetadata: {name: w}\n"),
			[]string{
				"demo/manifests/w.yaml:5: error: Widget demo/w: spec.size: must be of type integer: \"string\"",
				"demo/manifests/w.yaml:8: error: Wdget w: nobody defines the kind Wdget of example.org/v1 | did you mean Widget?",
			},
		},
		"images in manifests": {
			files("manifests/web.yaml", deployment+strings.Replace(container, `{{ image "web" }}`, "nginx", 1)+strings.NewReplacer(`{{ image "web" }}`, "docker.io/library/x:2", "web", "x").Replace(container)),
			[]string{
				"demo/manifests/web.yaml:13: error: Deployment demo/web: image nginx has no exact version | give a tag other than latest, or a digest; best under images: in addon.yaml",
				"demo/manifests/web.yaml:18: warning: Deployment demo/web: image docker.io/library/x:2 is not under images: in addon.yaml, so an environment cannot map it to a mirror | name it there, and write {{ image \"key\" }} here",
			},
		},
		"images of others": { // an environment can map them all, and {{ means nothing there
			files("addon.yaml", header+"source: {plain: upstream}\n", "upstream/web.yaml", bare("docker.io/library/x:2"), "manifests/own.yaml", strings.Replace(bare("docker.io/library/x:2"), "name: web", "name: own", 1)),
			[]string{
				"demo/manifests/own.yaml:9: warning: Deployment demo/own: the pod has no securityContext | securityContext: {{- include \"podSecurityContext\" 65532 | nindent 8 }}",
				"demo/manifests/own.yaml:11: warning: Deployment demo/own: container web does not request cpu and memory | resources: {requests: {cpu: 10m, memory: 32Mi}}",
				"demo/manifests/own.yaml:11: warning: Deployment demo/own: container web has no readinessProbe: it counts as ready as soon as it runs | readinessProbe: {httpGet: {port: http, path: /}}",
				"demo/manifests/own.yaml:11: warning: Deployment demo/own: container web has no securityContext | securityContext: {{- include \"securityContext\" . | nindent 12 }}",
				"demo/manifests/own.yaml:12: warning: Deployment demo/own: image docker.io/library/x:2 is not under images: in addon.yaml, so an environment cannot map it to a mirror | name it there, and write {{ image \"key\" }} here",
				"demo/upstream/web.yaml:9: warning: Deployment demo/web: the pod has no securityContext | set one that makes it run as a user who is not root, in the file itself",
				"demo/upstream/web.yaml:11: warning: Deployment demo/web: container web does not request cpu and memory | set resources.requests, in the file itself",
				"demo/upstream/web.yaml:11: warning: Deployment demo/web: container web has no readinessProbe: it counts as ready as soon as it runs | set a readinessProbe, in the file itself",
				"demo/upstream/web.yaml:11: warning: Deployment demo/web: container web has no securityContext | set one without privileges and capabilities, in the file itself",
			},
		},
		"images of a kustomization": {
			files("addon.yaml", header+"source: {kustomize: upstream}\n", "upstream/kustomization.yaml", "resources: [web.yaml]\n", "upstream/web.yaml", careful("nginx")),
			[]string{"demo/upstream/web.yaml:1: error: Deployment demo/web: image nginx has no exact version | give a tag other than latest, or a digest, in a patch of the kustomization"},
		},
		"images of a chart": {
			files("addon.yaml", header+"source: {chart: upstream}\n", "upstream/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n", "upstream/templates/web.yaml", careful("nginx")+"---\n"+strings.Replace(careful("nginx:1.29"), "name: web", "name: more", 1)),
			[]string{"demo/upstream/templates/web.yaml: error: Deployment demo/web: image nginx has no exact version | give a tag other than latest, or a digest, by the chart's values"},
		},
		"selector": {
			files("addon.yaml", images, "manifests/web.yaml", strings.Replace(deployment, "matchLabels: {a: b}", "matchLabels: {a: c}", 1)+container),
			[]string{"demo/manifests/web.yaml:6: error: Deployment demo/web: spec.selector wants the label a: c, which its pods do not have"},
		},

		"rules about nothing": {
			files("addon.yaml", images+"replace: [Job/migrate]\nprotect: [ConfigMap]\nignore: [{object: Deployment/wbe, fields: [spec.replicas]}]\nready: {skip: [Deployment/web], objects: [{object: Deploment}]}\n", "manifests/web.yaml", deployment+container),
			[]string{
				"demo/addon.yaml:6:11: error: no manifest gives Job/migrate, under any values that were tried | there are: Deployment/web, Namespace/demo",
				"demo/addon.yaml:7:11: error: no manifest gives ConfigMap, under any values that were tried | there are: Deployment, Namespace",
				"demo/addon.yaml:8:19: error: no manifest gives Deployment/wbe, under any values that were tried | did you mean Deployment/web?",
				"demo/addon.yaml:9:52: error: no manifest gives Deploment, under any values that were tried | did you mean Deployment?",
			},
		},

		"values of a test": {
			files("addon.yaml", header+"values: {size: 1}\n", "values.schema.json", `{"additionalProperties": false, "properties": {"size": {"type": "integer"}}}`, "testdata/bad/values.yaml", "# x\nsiz: 1\nsize: a\n", "testdata/worse/values.yaml", "size: [\n"),
			[]string{
				"demo/testdata/bad/values.yaml:2:6: error: value siz of add-on demo: there is no such value | did you mean size?",
				"demo/testdata/bad/values.yaml:3:7: error: value size of add-on demo: got string, want integer",
				"demo/testdata/worse/values.yaml:1: error: did not find expected node content",
			},
		},
		"a default that is refused": {
			files("addon.yaml", header+"values: {size: a}\n", "values.schema.json", `{"properties": {"size": {"type": "integer"}}}`, "testdata/ok/values.yaml", "size: 1\n"),
			[]string{
				"demo/addon.yaml:5:16: error: the default is refused by values.schema.json: value size of add-on demo: got string, want integer",
				"demo/testdata/default/values.yaml: error: value size of add-on demo: got string, want integer",
			},
		},
		"no default": {
			map[string]string{"addon.yaml": header, "values.schema.json": `{"required": ["size"], "properties": {"size": {"type": "integer"}}}`, "testdata/x/values.yaml": "size: 1\n", "manifests/a.yaml": config + "data: {a: {{ if .Values.size }}1{{ else }}a{{ end }}}\n"},
			[]string{"demo/manifests/a.yaml:5: error: ConfigMap demo/a: data.a: has to be text, and is 1 | put it in quotes: \"1\" (with values of testdata/x)"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for i := range tt.want { // the values stand in the message, before the hint
				if before, with, ok := strings.Cut(tt.want[i], " (with"); ok && strings.Contains(before, " | ") {
					text, advice, _ := strings.Cut(before, " | ")
					tt.want[i] = text + " (with" + with + " | " + advice
				}
			}
			got := run(t, map[string]map[string]string{"demo": tt.files, "other": {"addon.yaml": strings.Replace(header, "demo", "other", 1) + "tokens: [{name: ca, kind: ca}]\n"}})
			if diff := cmp.Diff(append([]string{}, tt.want...), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
