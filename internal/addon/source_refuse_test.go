// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"clusterup.dev/clusterup/internal/hint"
)

const (
	aChart  = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
	aConfig = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
)

// What a source cannot mean, or would have to fetch, is refused with the place.
func TestSourceErrors(t *testing.T) {
	const fetched = "nothing is fetched: copy it into the add-on and name the copy"
	tests := []struct {
		name, source string
		files        []string
		err, hint    string
	}{
		{"two", "{plain: a, chart: b}", []string{"a/x.yaml", "", "b/Chart.yaml", aChart}, "addons/demo/addon.yaml:5:9: source names more than one of plain, kustomize and chart", ""},
		{"outside", "{plain: ../other}", nil, "addons/demo/addon.yaml:5:17: ../other is outside of the add-on's folder", "copy it into addons/demo: an add-on is one folder"},
		{"absent", "{kustomize: k}", nil, "addons/demo/addon.yaml:5:21: there is no folder addons/demo/k", ""},
		{"values of nothing", "{plain: a, values: v.yaml}", []string{"a/x.yaml", ""}, "addons/demo/addon.yaml:5:9: values, hooks and apis are of a chart, and source names none", "name the chart's folder under chart"},
		{"no values", "{chart: c, values: v.yaml}", []string{"c/Chart.yaml", aChart}, "addons/demo/addon.yaml:5:28: there is no file addons/demo/v.yaml", ""},
		{"hook", "{chart: c, hooks: {Job/a: run}}", []string{"c/Chart.yaml", aChart}, `addons/demo/addon.yaml:5:35: a hook cannot be "run"`, "apply it like any other object, or omit it"},
		{"plain yaml", "{plain: p}", []string{"p/x.yaml", aConfig + "data:\n  a: b: c\n"}, "addons/demo/p/x.yaml:5: not valid YAML once rendered: mapping values are not allowed in this context", "a value with special characters needs quotes, and what is included needs nindent"},
		{"plain kustomization", "{plain: p}", []string{"p/x/kustomization.yaml", ""}, "addons/demo/p/x/kustomization.yaml: is not an object for a cluster", "write source: {kustomize: p/x}"},
		{"twice", "{plain: p}", []string{"p/x.yaml", "# first\n" + aConfig, "manifests/m.yaml", aConfig}, "addons/demo/p/x.yaml:2: ConfigMap demo/a is also in addons/demo/manifests/m.yaml:1", ""},
		{"no kustomization", "{kustomize: k}", []string{"k/x.yaml", ""}, "addons/demo/k: has no kustomization.yaml", "source.kustomize names the folder that kustomize build would be given"},
		{"remote base", "{kustomize: k}", []string{"k/kustomization.yaml", "resources:\n- github.com/a/b\n"}, "addons/demo/k/kustomization.yaml:2: github.com/a/b is not in the folder", fetched},
		{"remote file", "{kustomize: k}", []string{"k/kustomization.yaml", "resources: [../b]\n", "b/kustomization.yaml", "\nresources: ['https://example.org/x.yaml']\n"}, "addons/demo/b/kustomization.yaml:2: https://example.org/x.yaml is not in the folder", fetched},
		{"remote secret", "{kustomize: k}", []string{"k/kustomization.yaml", "SecretGenerator: [{name: a, files: ['x=http:y']}]"}, "addons/demo/k/kustomization.yaml:1: http:y is not in the folder", fetched},
		{"kustomize outside", "{kustomize: k}", []string{"k/kustomization.yaml", "resources: [../../x.yaml]\n"}, "", ""},
		{"file of another folder", "{kustomize: k}", []string{"k/kustomization.yaml", "resources: [../x.yaml]\n", "x.yaml", aConfig}, "", ""},
		{"plugin", "{kustomize: k}", []string{"k/kustomization.yaml", "generators: [x.yaml]\n"}, "addons/demo/k/kustomization.yaml:1: generators is not supported", "generators, transformers and validators may run programs: write what they do as fields of the kustomization"},
		{"kustomize field", "{kustomize: k}", []string{"k/kustomization.yaml", "resuorces: []\n"}, "", ""},
		{"endless anchor", "{kustomize: k}", []string{"k/kustomization.yaml", "resources: [x.yaml]\n", "k/x.yaml", "a: &a [*a]"}, "addons/demo/k/x.yaml: anchor 'a' value contains itself", ""},
		{"bad chart", "{chart: c}", []string{"c/Chart.yaml", "name: web\n"}, "addons/demo/c: validation: chart.metadata.version is required", ""},
		{"subchart", "{chart: c}", []string{"c/Chart.yaml", aChart + "dependencies: [{name: db, version: 1.0.0}]"}, "addons/demo/c/Chart.yaml: db 1.0.0 is not in charts/", "nothing is fetched: run helm dependency build in addons/demo/c and keep what it writes"},
		{"version", "{chart: c}", []string{"c/Chart.yaml", aChart + "kubeVersion: <1.30.0\n"}, "addons/demo/c/Chart.yaml: web is for Kubernetes <1.30.0, and this program is for v1.36.3", ""},
		{"chart syntax", "{chart: c}", []string{"c/Chart.yaml", aChart, "c/templates/x.yaml", "a: 1\nb: {{ if }}\n"}, "addons/demo/c/templates/x.yaml:2: missing value for if", ""},
		{"missing value", "{chart: c}", []string{"c/Chart.yaml", aChart, "c/templates/x.yaml", "a: {{ .Values.a.b }}\n"}, "addons/demo/c/templates/x.yaml:1:13: nil pointer evaluating interface {}.b", "the values lack what holds b"},
		{"required", "{chart: c}", []string{"c/Chart.yaml", aChart, "c/templates/x.yaml", "a: 1\nb: {{ required \"say b\" .Values.b }}\n"}, "addons/demo/c/templates/x.yaml:2:6: say b", ""},
		{"in a helper", "{chart: c}", []string{"c/Chart.yaml", aChart, "c/templates/_h.tpl", "\n{{ define \"h\" }}{{ .Values.a.b }}{{ end }}", "c/templates/x.yaml", "a: {{ include \"h\" . }}\n"}, "addons/demo/c/templates/x.yaml:1:6: nil pointer evaluating interface {}.b (addons/demo/c/templates/_h.tpl:2:26)", "the values lack what holds b"},
		{"in a subchart", "{chart: c}", []string{"c/Chart.yaml", aChart, "c/charts/here/Chart.yaml", "apiVersion: v2\nname: db\nversion: 1.0.0\n", "c/charts/here/templates/x.yaml", "a: {{ fail \"no\" }}"}, "addons/demo/c/charts/here/templates/x.yaml:1:6: no", ""},
		{"chart yaml", "{chart: c}", []string{"c/Chart.yaml", aChart, "c/templates/x.yaml", aConfig + "data: {{ 1 }}: 2: 3\n"}, "addons/demo/c/templates/x.yaml: not valid YAML once rendered: mapping values are not allowed in this context", "a value with special characters needs quotes, and what is included needs nindent"},
		{"schema", "{chart: c, values: v.yaml}", []string{"c/Chart.yaml", aChart, "c/values.schema.json", `{"properties": {"count": {"type": "integer"}}}`, "v.yaml", "count: text"}, "addons/demo/c/values.schema.json: the values of web: /count is of the type string, want integer", ""},
		{"remote schema", "{chart: c}", []string{"c/Chart.yaml", aChart, "c/values.schema.json", `{"$ref": "https://example.org/s.json"}`}, "", ""},
		{"values yaml", "{chart: c, values: v.yaml}", []string{"c/Chart.yaml", aChart, "v.yaml", "a: 1\nb: c: d\n"}, "addons/demo/v.yaml:2: not valid YAML once rendered: mapping values are not allowed in this context", "a value with special characters needs quotes, and what is included needs nindent"},
		{"values list", "{chart: c, values: v.yaml}", []string{"c/Chart.yaml", aChart, "v.yaml", "[a]"}, "addons/demo/v.yaml: the chart's values are not a mapping", ""},
		{"values template", "{chart: c, values: v.yaml}", []string{"c/Chart.yaml", aChart, "v.yaml", "\na: {{ .Values.absent }}"}, "addons/demo/v.yaml:2:13: map has no entry for key \"absent\"", ""},
		{"install hook", "{chart: c}", []string{"c/Chart.yaml", aChart, "c/templates/x.yaml", "apiVersion: batch/v1\nkind: Job\nmetadata: {name: a, annotations: {helm.sh/hook: post-install}}"}, "addons/demo/c/templates/x.yaml: Job/a is a hook of Helm (post-install), and no moment like it is known here", "turn it off in the chart's values, or say under source what becomes of it: hooks: {Job/a: apply} or omit"},
		{"random", "{chart: c}", []string{"c/Chart.yaml", aChart, "c/templates/x.yaml", aConfig + "data: {b: {{ randAlphaNum 5 }}}"}, "addons/demo/c/templates/x.yaml: data.b of ConfigMap a would differ each time: the chart asks for randAlphaNum", "set what it makes up in the chart's values, a secret from a token"},
		{"certificate", "{chart: c}", []string{"c/Chart.yaml", aChart, "c/templates/x.yaml", "{{ $ca := genCA \"a\" 3 }}" + aConfig + "data: {b: {{ (genSignedCert \"x\" nil nil 1 $ca).Cert }}}"}, "addons/demo/c/templates/x.yaml: data.b of ConfigMap a would differ each time: the chart asks for genCA, genSignedCert", "set what it makes up in the chart's values, a secret from a token"},
		{"year", "{chart: c}", []string{"c/Chart.yaml", aChart, "c/templates/x.yaml", aConfig + "data: {at: 'in {{ now | date \"2006\" }}'}"}, "addons/demo/c/templates/x.yaml: data.at of ConfigMap a would differ each time: the chart asks for now", "set what it makes up in the chart's values, a secret from a token"},
		{"random name", "{chart: c}", []string{"c/Chart.yaml", aChart, "c/templates/x.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 'a{{ randNumeric 5 }}'}"}, "addons/demo/c/templates/x.yaml: the name of ConfigMap would differ each time: the chart asks for randNumeric", "set what it makes up in the chart's values, a secret from a token"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := Load(folder(append(tt.files, "addon.yaml", header+"source: "+tt.source+"\n")...), "addons/demo")
			if err == nil {
				_, err = render(t, a, nil)
			}
			if err == nil {
				t.Fatal("no error")
			}
			if strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), "addons/demo/") {
				t.Errorf("not one line with a place: %v", err)
			}
			if tt.err == "" { // the library's words
				t.Log(err)
				return
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

// What a chart makes up is no matter where a value takes its place, a lookup finds
// nothing and is told of, and a test is left out.
func TestChartThatMakesUp(t *testing.T) {
	a := mustLoad(t, "addon.yaml", header+"source: {chart: c, values: v.yaml}\n", "v.yaml", "password: x",
		"c/Chart.yaml", aChart, "c/templates/x.yaml", aConfig+`data:
  known: {{ .Values.password | default (randAlphaNum 5) }}
  found: {{ lookup "v1" "Secret" "demo" "x" | toYaml }}
  order: {{ keys (dict "c" 1 "a" 2 "b" 3) | join "" }}
  zone: {{ dateInZone "15:04" 3600 "UTC" | quote }}
  day: {{ date "2006-01-02" 0 }}`)
	var told []string
	objects, err := Render(Input{Addon: a, Environment: "test", Tokens: fakeTokens(""), Notice: func(where, what string) { told = append(told, where+" "+what) }})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"known": "x", "found": map[string]any{}, "order": "abc", "zone": "01:00", "day": "1970-01-01"}
	if diff := cmp.Diff(want, objects[1].Object["data"]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"addons/demo/c looks for a Secret.v1 in the cluster, and is told that there is none"}, told); diff != "" {
		t.Error(diff)
	}
}

// A token in a chart's values may reach a Secret, and is found elsewhere; errors
// do not hold it.
func TestChartTokens(t *testing.T) {
	leaking := func(text string) *Addon {
		return mustLoad(t, "addon.yaml", header+"tokens: [{name: admin, kind: password}]\nsource: {chart: c, values: v.yaml}\n",
			"v.yaml", `password: {{ token "demo/admin" }}`, "c/Chart.yaml", aChart, "c/templates/x.yaml", text)
	}
	a := leaking(aConfig + "data: {hash: {{ .Values.password | sha256sum }}}")
	one := mustRender(t, a)
	other, err := Render(Input{Addon: a, Environment: "test", Tokens: fakeTokens("other-")})
	if err != nil {
		t.Fatal(err)
	}
	if err = CheckSecrets(one, other); err == nil || err.Error() != "addons/demo/c/templates/x.yaml: data.hash of ConfigMap demo/a depends on a secret" {
		t.Error(err)
	}
	for _, text := range []string{"{{ fail .Values.password }}", "a: {{ .Values.password }}: b", "{{ tpl (print .Values.password \"{{ if }}\") . }}"} {
		if _, err := render(t, leaking(text), nil); err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A symbolic link is refused wherever it stands, and whatever it leads to.
func TestSourceLinks(t *testing.T) {
	for _, source := range []string{"{plain: s}", "{kustomize: s}", "{chart: s}", "{plain: l}", "{plain: l/s}"} {
		dir := filepath.Join(t.TempDir(), "demo")
		write := func(name, text string) {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("addon.yaml", header+"source: "+source+"\n")
		write("s/Chart.yaml", aChart)
		if source != "{chart: s}" {
			write("s/Chart.yaml", "")
			write("s/kustomization.yaml", "")
		}
		for name, to := range map[string]string{"s/A.yaml": "/etc/passwd", "l": "."} {
			if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		a, err := Load(os.DirFS(dir), "addons/demo")
		if err == nil {
			_, err = render(t, a, nil)
		}
		if err == nil || !strings.Contains(err.Error(), "symbolic link") && !strings.Contains(err.Error(), "neither a file nor a folder") {
			t.Errorf("%s: %v", source, err)
		}
	}
}
