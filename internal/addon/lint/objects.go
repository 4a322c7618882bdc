// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"errors"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/apischema"
	"clusterup.dev/clusterup/internal/crd"
	"clusterup.dev/clusterup/internal/hint"
)

// definitions are custom kinds by what they define.
type definitions map[schema.GroupKind]*crd.Definition

// objects checks every object by the schema of its kind.
func (l *linter) objects(a *addon.Addon, objects []addon.Object) {
	custom := definitions{}
	for _, other := range l.below(a) {
		l.define(custom, l.usual(other).objects, false)
	}
	l.define(custom, objects, true)
	for _, o := range objects {
		switch kind := o.GroupVersionKind(); {
		case custom[kind.GroupKind()] != nil:
			l.custom(o, custom[kind.GroupKind()])
		case apischema.BuiltIn(kind.Group):
			for _, p := range apischema.Check(o.Unstructured) {
				l.problem(o, p)
			}
			l.workload(a, o)
		default:
			l.unknown(a, o, custom)
		}
	}
}

// define reads the definitions among objects.
func (l *linter) define(custom definitions, objects []addon.Object, own bool) {
	for _, o := range objects {
		if o.GetKind() != "CustomResourceDefinition" {
			continue
		}
		d, err := crd.Parse(o.Unstructured)
		if err == nil {
			custom[d.GroupKind()] = d
		} else if own {
			l.report(o.Fault("spec", "%v", err))
		}
	}
}

func (l *linter) custom(o addon.Object, d *crd.Definition) {
	var wrong *crd.Error
	switch err := d.Check(o.Unstructured); {
	case errors.As(err, &wrong):
		for _, p := range wrong.Problems {
			l.problem(o, apischema.Problem{Path: p.Path, Message: p.Message})
		}
	case err != nil:
		l.report(o.Fault("", "%s: %v", o.Title(), err))
	}
}

// problem reports what a schema says of one field.
func (l *linter) problem(o addon.Object, p apischema.Problem) {
	what := p.Path + ": " + p.Message
	if p.Path == "kind" || p.Path == "apiVersion" {
		what = p.Message // says it itself
	}
	l.report(hint.With(o.Fault(p.Path, "%s: %s", o.Title(), what), "%s", p.Hint))
}

// unknown reports a kind that nobody defines.
func (l *linter) unknown(a *addon.Addon, o addon.Object, custom definitions) {
	kind := o.GroupVersionKind()
	for _, listed := range l.Catalog.List() {
		if listed.Addon == nil || listed.Addon == a {
			continue
		}
		theirs := definitions{}
		l.define(theirs, l.usual(listed.Addon).objects, false)
		if theirs[kind.GroupKind()] != nil {
			l.report(hint.With(o.Fault("kind", "%s: the kind %s of %s is defined by %s, which %s does not need", o.Title(), kind.Kind, kind.GroupVersion(), listed.Name, a.Name),
				"list %s under needs in %s/%s", listed.Name, a.Dir, addon.MetadataFile))
			return
		}
	}
	more := []schema.GroupVersionKind{}
	for group := range custom {
		more = append(more, group.WithVersion(kind.Version))
	}
	advice := apischema.Suggest(kind, more...)
	if advice == "" {
		advice = "its CustomResourceDefinition belongs into this folder, or into one of an add-on that it needs"
	}
	l.report(hint.With(o.Fault("kind", "%s: nobody defines the kind %s of %s", o.Title(), kind.Kind, kind.GroupVersion()), "%s", advice))
}
