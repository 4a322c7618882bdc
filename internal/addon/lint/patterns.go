// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/strictyaml"
)

// patterns reports rules of addon.yaml about objects that no values give.
func (l *linter) patterns(a *addon.Addon, objects []addon.Object) {
	names := map[string]bool{}
	for _, o := range objects {
		names[o.GetKind()] = true
		names[o.GetKind()+"/"+o.GetName()] = true
	}
	look := func(pattern string, at ...any) {
		if names[pattern] {
			return
		}
		kind, _, one := strings.Cut(pattern, "/")
		known := slices.DeleteFunc(slices.Sorted(maps.Keys(names)), func(name string) bool { return strings.Contains(name, "/") != one })
		if names[kind] {
			known = slices.DeleteFunc(known, func(name string) bool { return !strings.HasPrefix(name, kind+"/") })
		}
		l.report(hint.With(fmt.Errorf("%s: no manifest gives %s, under any values that were tried", a.At(at...), pattern), "%s", strictyaml.Nearest(pattern, known)))
	}
	for i, pattern := range a.Replace {
		look(pattern, "replace", i)
	}
	for i, pattern := range a.Protect {
		look(pattern, "protect", i)
	}
	for i, rule := range a.Ignore {
		look(rule.Object, "ignore", i, "object")
	}
	for i, pattern := range a.Ready.Skip {
		look(pattern, "ready", "skip", i)
	}
	for i, rule := range a.Ready.Objects {
		look(rule.Object, "ready", "objects", i, "object")
	}
}
