// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Whatever stands in a file of a source, it gives the same objects twice, or an
// error of one line with the folder's name and without the token.
func FuzzSource(f *testing.F) {
	for _, seed := range []string{
		"", aConfig, aChart, "{{ fail .Values.x }}", "{{ tpl .Values.x . }}", "{{ now }}", "resources: [x.yaml, ../c]", "resources: ['https://x']",
		"configMapGenerator: [{name: a, literals: [x=y]}]\nnamePrefix: z-\n", "patches: [{patch: 'a: b'}]", "a: &a [*a]", "{{ .Files.Glob \"*\" }}", "apiVersion: v1\nkind: List\nitems: [1]",
		"{{ genCA \"a\" 1 }}", aChart + "dependencies: [{name: a}, null]", "[]", "x: [", "{{ include \"x\" . }}", "openapi: {path: x.yaml}", "vars: [{name: x}]", "replacements: [{path: x.yaml}]",
	} {
		f.Add(seed)
	}
	const common = "tokens: [{name: admin, kind: password}]\nsource: "
	f.Fuzz(func(t *testing.T, text string) {
		if expensive.MatchString(text) {
			t.Skip()
		}
		for _, files := range [][]string{
			{"addon.yaml", header + common + "{plain: p}\n", "p/x.yaml", text},
			{"addon.yaml", header + common + "{kustomize: k}\n", "k/kustomization.yaml", text, "k/x.yaml", aConfig},
			{"addon.yaml", header + common + "{kustomize: k}\n", "k/kustomization.yaml", "resources: [x.yaml]", "k/x.yaml", text},
			{"addon.yaml", header + common + "{chart: c}\n", "c/Chart.yaml", text, "c/templates/x.yaml", aConfig},
			{"addon.yaml", header + common + "{chart: c, values: v.yaml}\n", "v.yaml", "x: {{ token \"demo/admin\" }}", "c/Chart.yaml", aChart, "c/templates/x.yaml", text},
			{"addon.yaml", header + common + "{chart: c, values: v.yaml}\n", "v.yaml", text, "c/Chart.yaml", aChart, "c/values.yaml", text},
		} {
			a := mustLoad(t, files...)
			one, err := render(t, a, nil)
			if err != nil {
				if !strings.HasPrefix(err.Error(), "addons/demo/") || strings.Contains(err.Error(), "s3cr3t") {
					t.Errorf("error without a place or with a secret: %v", err)
				}
				continue
			}
			two := mustRender(t, a)
			if len(one) != len(two) {
				t.Fatalf("%d objects, then %d", len(one), len(two))
			}
			for i := range one {
				if diff := cmp.Diff(one[i].Object, two[i].Object); diff != "" {
					t.Error(diff)
				}
			}
		}
	})
}
