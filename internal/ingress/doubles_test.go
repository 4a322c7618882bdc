// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

const gateways = `
metadata: {namespace: ingress, name: default}
kind: Gateway
spec:
  gatewayClassName: traefik
  listeners: [{name: web, port: 80}, {name: websecure, port: 443}]
---
metadata: {namespace: ingress, name: other}
kind: Gateway
spec: {gatewayClassName: another, listeners: [{name: web, port: 80}]}
`

// What several objects claim is named once with all of them, oldest first: the
// same host and path, whatever the kind of route; and nothing else is named.
func TestDoubles(t *testing.T) {
	ingress := func(name, age, host, path string, more ...string) string {
		return "kind: Ingress\nmetadata: {namespace: a, name: " + name + ", creationTimestamp: '2026-01-0" + age + "T00:00:00Z'" + strings.Join(more, "") +
			"}\nspec: {rules: [{host: " + host + ", http: {paths: [" + path + "]}}]}\n---\n"
	}
	route := func(name, age, parent, spec string) string {
		return "kind: HTTPRoute\nmetadata: {namespace: b, name: " + name + ", creationTimestamp: '2026-01-0" + age +
			"T00:00:00Z'}\nspec: {parentRefs: [" + parent + "], " + spec + "}\n---\n"
	}
	const shop, def = "{path: /shop, pathType: Prefix}", "{name: default, namespace: ingress}"
	ofA := func(names string) string {
		said := []string{}
		for _, n := range strings.Fields(names) {
			kind := "Ingress a/"
			if strings.HasPrefix(n, "r") {
				kind = "HTTPRoute b/"
			}
			said = append(said, kind+n[:len(n)-1]+" (since 2026-01-0"+n[len(n)-1:]+" 00:00:00 UTC)")
		}
		return strings.Join(said, " and by ")
	}
	tests := []struct {
		name, objects string
		want          []string
	}{
		{"none", "", nil},
		{"alone", ingress("one", "1", "x.test", shop), nil},
		{"two", ingress("young", "2", "x.test", shop) + ingress("old", "1", "x.test", shop), []string{"x.test/shop is claimed by " + ofA("old1 young2")}},
		{"same age", ingress("two", "1", "x.test", shop) + ingress("one", "1", "x.test", shop), []string{"x.test/shop is claimed by " + ofA("one1 two1")}},
		{"three", ingress("a", "1", "x.test", shop) + ingress("b", "2", "x.test", shop) + ingress("c", "3", "x.test", shop), []string{"x.test/shop is claimed by " + ofA("a1 b2 c3")}},
		{"other host", ingress("a", "1", "x.test", shop) + ingress("b", "1", "y.test", shop), nil},
		{"other path", ingress("a", "1", "x.test", shop) + ingress("b", "1", "x.test", "{path: /shopping, pathType: Prefix}"), nil},
		{"exact beside prefix", ingress("a", "1", "x.test", shop) + ingress("b", "1", "x.test", "{path: /shop, pathType: Exact}"), nil},
		{"slash, case, left to the implementation", ingress("a", "1", "x.test", shop) + ingress("b", "2", "X.test", "{path: /shop/, pathType: ImplementationSpecific}"), []string{"x.test/shop is claimed by " + ofA("a1 b2")}},
		{"any host", ingress("a", "1", "''", "{pathType: Prefix, path: /}") + ingress("b", "2", "''", "{pathType: Prefix, path: /}"), []string{"*/ is claimed by " + ofA("a1 b2")}},
		{"twice in one", ingress("a", "1", "x.test", shop+", "+shop), nil},
		{"of another class", ingress("a", "1", "x.test", shop) + ingress("b", "2", "x.test", shop, ", annotations: {kubernetes.io/ingress.class: nginx}"), nil},
		{
			"another port", ingress("a", "1", "x.test", shop, ", annotations: {traefik.ingress.kubernetes.io/router.entrypoints: web}") +
				ingress("b", "2", "x.test", shop, ", annotations: {traefik.ingress.kubernetes.io/router.entrypoints: websecure}"), nil,
		},
		{
			"ingress and route", ingress("a", "2", "x.test", shop) + route("r", "1", def, "hostnames: [x.test], rules: [{matches: [{path: {type: PathPrefix, value: /shop}}]}]"),
			[]string{"x.test/shop is claimed by " + ofA("r1 a2")},
		},
		{
			"routes without a match", route("r", "1", def, "hostnames: [x.test, y.test], rules: [{}]") + route("rr", "2", def, "hostnames: [y.test], rules: [{}]"),
			[]string{"y.test/ is claimed by " + ofA("r1 rr2")},
		},
		{
			"routes that differ in a header", route("r", "1", def, "hostnames: [x.test], rules: [{}]") +
				route("rr", "2", def, "hostnames: [x.test], rules: [{matches: [{headers: [{name: canary, value: yes}]}]}]"), nil,
		},
		{
			"routes of two listeners", route("r", "1", "{name: default, namespace: ingress, sectionName: web}", "hostnames: [x.test], rules: [{}]") +
				route("rr", "2", "{name: default, namespace: ingress, port: 443}", "hostnames: [x.test], rules: [{}]"), nil,
		},
		{
			"routes of another class, of a Service, of nothing", route("r", "1", "{name: other, namespace: ingress}", "hostnames: [x.test], rules: [{}]") +
				route("rr", "2", "{name: other, namespace: ingress}", "hostnames: [x.test], rules: [{}]") +
				route("rrr", "2", "{name: default, kind: Service}", "hostnames: [x.test], rules: [{}]") + route("rrrr", "2", "{name: gone}", "hostnames: [x.test], rules: [{}]"), nil,
		},
		{
			"default backends", "kind: Ingress\nmetadata: {namespace: a, name: one}\nspec: {defaultBackend: {service: {name: x}}}\n---\n" +
				ingress("b", "2", "''", "{pathType: Prefix, path: /}"), nil,
		},
		{"no shape at all", "kind: Ingress\nspec: {rules: 3}\n---\nkind: HTTPRoute\nspec: {parentRefs: {}, rules: [x], hostnames: 1}\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, d := range findDoubles("traefik", of(t, tt.objects, "Ingress"), of(t, gateways, "Gateway"), of(t, tt.objects, "HTTPRoute")) {
				got = append(got, d.String())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// of reads the objects of a kind.
func of(t *testing.T, text, kind string) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	for doc := range strings.SplitSeq(text, "---\n") {
		o := map[string]any{}
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			t.Fatal(err)
		}
		u := &unstructured.Unstructured{Object: whole(o).(map[string]any)}
		if u.GetKind() == kind {
			all = append(all, u)
		}
	}
	return all
}

// whole makes numbers what the API's decoder makes of them.
func whole(v any) any {
	switch v := v.(type) {
	case float64:
		return int64(v)
	case map[string]any:
		for key := range v {
			v[key] = whole(v[key])
		}
	case []any:
		for i := range v {
			v[i] = whole(v[i])
		}
	}
	return v
}
