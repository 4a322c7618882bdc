// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func named(name, more string) string { return strings.Replace(header, "demo", name, 1) + more }

// A circle is named in full, once, from wherever it was entered.
func TestCirclesAreNamedInFull(t *testing.T) {
	got := run(t, map[string]map[string]string{
		"c": files("addon.yaml", named("c", "needs: [a]\n")),
		"a": files("addon.yaml", named("a", "needs: [d, b]\n")),
		"b": files("addon.yaml", named("b", "needs: [c]\n")),
		"d": files("addon.yaml", named("d", "")),
		"e": files("addon.yaml", named("e", "needs: [c]\n")),
	})
	want := []string{"a/addon.yaml:5:12: error: add-ons need each other in a circle: a needs b needs c needs a | take one of the needs away"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Custom resources may be of a kind that a needed add-on defines, through others
// too; one that another defines says which need is missing.
func TestDefinitionsOfOthers(t *testing.T) {
	widget := "apiVersion: example.org/v1\nkind: Widget\nmetadata: {name: w, namespace: x}\nspec: {size: x}\n"
	got := run(t, map[string]map[string]string{
		"crds":   files("addon.yaml", named("crds", ""), "manifests/crd.yaml", crdOf),
		"middle": files("addon.yaml", named("middle", "needs: [crds]\n")),
		"below":  files("addon.yaml", named("below", "needs: [middle]\n"), "manifests/w.yaml", widget),
		"beside": files("addon.yaml", named("beside", ""), "manifests/w.yaml", widget),
	})
	want := []string{
		"below/manifests/w.yaml:4: error: Widget x/w: spec.size: must be of type integer: \"string\"",
		"beside/manifests/w.yaml:2: error: Widget x/w: the kind Widget of example.org/v1 is defined by crds, which beside does not need | list crds under needs in addons/beside/addon.yaml",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What an add-on has in common with one that it needs could never be applied;
// that two others share something is an environment's affair.
func TestObjectsOfANeededAddon(t *testing.T) {
	same := strings.Replace(config, "name: a", "name: a\n  namespace: shared", 1)
	got := run(t, map[string]map[string]string{
		"a": files("addon.yaml", named("a", "needs: [b]\n"), "manifests/m.yaml", "# one\n"+same),
		"b": files("addon.yaml", named("b", ""), "manifests/m.yaml", same),
		"c": files("addon.yaml", named("c", ""), "manifests/m.yaml", same),
	})
	want := []string{"a/manifests/m.yaml:2: error: ConfigMap shared/a is also in addons/b/manifests/m.yaml:1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A certificate's authority has to be there in the add-on that it is of; what a
// needed add-on is ill with is said there, or here when it is not checked.
func TestOthersThatAreNeeded(t *testing.T) {
	got := run(t, map[string]map[string]string{
		"a":     files("addon.yaml", named("a", "needs: [b, other]\ntokens: [{name: c, kind: cert, ca: b/x, server: true, dns: [y]}]\n")),
		"b":     files("addon.yaml", named("b", "tokens: [{name: y, kind: ca}]\n")),
		"other": {"addon.yaml": "x: y\n"},
	})
	want := []string{
		"a/addon.yaml:5:12: error: a needs other, which cannot be loaded: addons/other/addon.yaml:1:1: unknown field \"x\" | there are: apiVersion, description, hooks, ignore, images, kind, name, namespace, needs, protect, ready, replace, source, tokens, uses, values, version",
		"a/addon.yaml:6:36: error: the certificate c names b/x, which is no token of kind ca",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
