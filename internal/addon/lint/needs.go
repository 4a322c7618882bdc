// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/strictyaml"
)

// needs reports add-ons that it needs and that nobody has.
func (l *linter) needs(a *addon.Addon) {
	for i, need := range a.Needs {
		there := slices.Contains(l.Catalog.Names(), need)
		if !there && slices.Contains(a.Uses, need) {
			continue
		}
		if !there {
			l.report(hint.With(fmt.Errorf("%s: %s needs %s, and there is no such add-on", a.At(a.NeedPath(i)...), a.Name, need),
				"%s", strictyaml.Nearest(need, l.Catalog.Names())))
			continue
		}
		if _, err := l.Catalog.Get(need); err != nil && !slices.Contains(l.Names, need) {
			l.report(fmt.Errorf("%s: %s needs %s, which cannot be loaded: %w", a.At(a.NeedPath(i)...), a.Name, need, err))
		}
	}
	if err := l.Catalog.CheckAuthorities(a); err != nil {
		l.report(err)
	}
}

// hooks reports hooks that the program does not have.
func (l *linter) hooks(a *addon.Addon) {
	for i, h := range a.Hooks {
		if !slices.Contains(l.Hooks, h.Use) {
			l.report(hint.With(fmt.Errorf("%s: there is no hook %q", a.At("hooks", i, "use"), h.Use), "%s", strictyaml.Nearest(h.Use, l.Hooks)))
		}
	}
}

// circles reports add-ons that need each other, each circle once.
func (l *linter) circles() {
	done := map[string]bool{}
	for _, name := range l.Names {
		l.circle(name, nil, done)
	}
}

func (l *linter) circle(name string, above []string, done map[string]bool) {
	if at := slices.Index(above, name); at >= 0 {
		l.reportCircle(above[at:])
		return
	}
	a, err := l.Catalog.Get(name)
	if err != nil || done[name] {
		return
	}
	for _, need := range a.Needs {
		l.circle(need, append(above[:len(above):len(above)], name), done)
	}
	done[name] = true
}

// reportCircle names the circle from its first name in the alphabet on, so that it
// reads the same wherever it was entered.
func (l *linter) reportCircle(names []string) {
	first := slices.Index(names, slices.Min(names))
	names = slices.Concat(names[first:], names[:first], names[first:first+1])
	a, err := l.Catalog.Get(names[0])
	if err != nil {
		return
	}
	l.name = names[0]
	l.report(hint.With(fmt.Errorf("%s: add-ons need each other in a circle: %s", a.At(a.NeedPath(slices.Index(a.Needs, names[1]))...), strings.Join(names, " needs ")),
		"take one of the needs away"))
}

// below gives what an add-on needs, and what that needs.
func (l *linter) below(a *addon.Addon) []*addon.Addon {
	var all []*addon.Addon
	var visit func(*addon.Addon)
	visit = func(a *addon.Addon) {
		for _, need := range a.Needs {
			needed, err := l.Catalog.Get(need)
			if err == nil && !slices.Contains(all, needed) {
				all = append(all, needed)
				visit(needed)
			}
		}
	}
	visit(a)
	return slices.DeleteFunc(all, func(other *addon.Addon) bool { return other == a })
}

// duplicates reports objects that the add-on has in common with one that it
// needs: no environment could have both.
func (l *linter) duplicates(a *addon.Addon) {
	sets := [][]addon.Object{}
	for _, other := range append(l.below(a), a) {
		sets = append(sets, l.usual(other).objects)
	}
	if _, err := addon.Distinct(sets); err != nil {
		l.report(err)
	}
}

// usual is what an add-on gives when an environment sets nothing, or what its
// first test sets where something has to be set.
func (l *linter) usual(a *addon.Addon) rendered {
	if r, ok := l.rendered[a.Name]; ok {
		return r
	}
	quiet := &linter{Options: l.Options, seen: map[string]bool{}}
	var r rendered
	for _, v := range quiet.bases(a, quiet.cases(a)) {
		if r.objects, r.err = Render(l.Catalog, a, v.values); r.err == nil {
			break
		}
	}
	l.rendered[a.Name] = r
	return r
}

// nearestFile is a hint for a file that is not there.
func nearestFile(a *addon.Addon, name string) string {
	var names []string
	_ = fs.WalkDir(a.Files(), "files", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return nil
	})
	if len(names) == 0 {
		return ""
	}
	return strictyaml.Nearest(name, names)
}
