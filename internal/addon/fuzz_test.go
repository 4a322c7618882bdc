// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Whatever addon.yaml holds, reading it gives an add-on or an error with its name.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{header, full, "", "a: *a", header + "values: &a [*a]", header + "values: {<<: {a: 1}}", "? a", "!!binary x", header + "ready: {timeout: !!int 5m}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := Load(folder("addon.yaml", text), "addons/demo")
		if err != nil {
			if !strings.HasPrefix(err.Error(), "addons/demo/addon.yaml:") {
				t.Errorf("error without a place: %v", err)
			}
			return
		}
		if expensive.MatchString(text) {
			return
		}
		_, _ = a.Merge(a.Values)
		_, _ = a.Specs("test", a.Values)
		_, _ = a.HookCalls("test", a.Values)
		_, _ = a.Asks("test", a.Values)
	})
}

// expensive templates are no errors: they take as long as they ask for.
var expensive = regexp.MustCompile(`\d{3}|\de|0[xob]|until|seq|repeat|indent|wrap|range`)

// Whatever a manifest holds, rendering it gives the same objects twice, or an
// error that names the manifest and does not hold the token.
func FuzzRender(f *testing.F) {
	for _, seed := range []string{everything, "", "---\n...\n--- #\n", "{{ toYaml . }}", "a: !!x y", "{{ template \"labels\" . }}", "\xff", "{{ fail (token \"demo/gossip\") }}", "a: {{ token \"demo/gossip\" }}: b"} {
		f.Add(seed)
	}
	const yaml = header + "values: {replicas: 1, map: {b: 1, a: 2, c: 3}}\nimages: {web: docker.io/library/web:1.0}\ntokens: [{name: ca, kind: ca}, {name: gossip, kind: gossip-key}]\n"
	f.Fuzz(func(t *testing.T, text string) {
		if expensive.MatchString(text) {
			t.Skip()
		}
		a := mustLoad(t, "addon.yaml", yaml, "manifests/all.yaml", text, "files/server.hcl", "a")
		one, err := render(t, a, nil)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "addons/demo/") || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("error without a place or with a secret: %v", err)
			}
			return
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
	})
}
