// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/kube"
	"clusterup.dev/clusterup/internal/release"
	"clusterup.dev/clusterup/internal/secret"
)

// parts are those of the staged release, or, while there is none, of the one in
// memory, or, while there are no tokens, rendered with placeholders: then only
// the names of objects mean something.
func (s *Session) parts(ctx context.Context) ([]release.Part, error) {
	for _, source := range []later[*release.Release]{s.staged, s.rendered} {
		r, err := source(ctx)
		if err == nil {
			return r.Parts, nil
		}
		if !errors.Is(err, converge.ErrNotYet) {
			return nil, err
		}
	}
	return s.sketched(ctx)
}

// sketch is the release as far as it is known without tokens.
func (s *Session) sketch(context.Context) ([]release.Part, error) {
	sets, err := s.render(secret.Placeholders(s.renderSpecs()), s.site())
	if err != nil {
		return nil, err
	}
	parts := make([]release.Part, 0, len(sets))
	for i, c := range s.addons {
		parts = append(parts, release.Part{Addon: c.Name, Version: c.Version, Rules: rulesOf(c.Addon), Objects: plain(sets[i])})
	}
	return parts, nil
}

// part is one add-on of them, and the custom kinds that are defined before it is applied.
func (s *Session) part(ctx context.Context, name string) (part release.Part, coming []*unstructured.Unstructured, err error) {
	parts, err := s.parts(ctx)
	if err != nil {
		return part, nil, err
	}
	at := slices.IndexFunc(parts, func(p release.Part) bool { return p.Addon == name })
	if at < 0 {
		return part, nil, fmt.Errorf("the release has no add-on %s", name)
	}
	return parts[at], definitions(parts, parts[at].Rules.Needs), nil
}

// definitions are the custom kinds that add-ons, and what those need, define. Of no other
// add-on is it known that it goes first.
func definitions(parts []release.Part, needs []string) []*unstructured.Unstructured {
	first := make(map[string]bool)
	var all []*unstructured.Unstructured
	for len(needs) > 0 {
		name := needs[0]
		needs = needs[1:]
		at := slices.IndexFunc(parts, func(p release.Part) bool { return p.Addon == name })
		if first[name] || at < 0 {
			continue
		}
		first[name] = true
		needs = append(slices.Clip(needs), parts[at].Rules.Needs...)
		for _, o := range parts[at].Objects {
			if o.GroupVersionKind().GroupKind() == definition {
				all = append(all, o)
			}
		}
	}
	return all
}

var definition = schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}

// apply brings the add-on's objects to what the staged release says.
func (s *Session) apply(name string) converge.Step {
	return step{
		name: name + "/apply",
		plan: func(ctx context.Context) (converge.Plan, error) {
			part, coming, err := s.part(ctx, name)
			if err != nil {
				return converge.Plan{}, err
			}
			cluster, err := s.reachable(ctx)
			if errors.Is(err, converge.ErrNotYet) {
				return newObjects(part.Objects), err
			}
			if err != nil {
				return converge.Plan{}, err
			}
			seen := s.observed(ctx, name)
			options := s.planOptions(part.Rules, coming)
			options.Observed = seen.Observed
			plan, err := cluster.Plan(ctx, part.Objects, options)
			if err != nil {
				return converge.Plan{}, err
			}
			s.keepObserved(ctx, seen)
			p := converge.Plan{Changes: plan.Changes(), Basis: plan}
			if _, err := s.staged(ctx); errors.Is(err, converge.ErrNotYet) && !p.Empty() {
				p.After = stage
			}
			return p, nil
		},
		apply: func(ctx context.Context, p converge.Plan) error {
			plan, ok := p.Basis.(*kube.Plan)
			if !ok {
				return converge.ErrStale
			}
			if _, err := s.staged(ctx); err != nil {
				return err // nothing is applied that was not read back from the bucket
			}
			cluster, err := s.cluster(ctx)
			if err != nil {
				return err
			}
			defer func() { s.keepObserved(ctx, s.observed(ctx, name)) }()
			return cluster.Apply(ctx, plan)
		},
		destroy: func(ctx context.Context) error {
			return s.removeObjects(ctx, func(addon string) bool { return addon == name })
		},
	}
}

// newObjects is the plan while there is no cluster to compare with.
func newObjects(objects []*unstructured.Unstructured) converge.Plan {
	p := converge.Plan{}
	for _, o := range objects {
		p.Changes = append(p.Changes, converge.Change{Subject: kube.RefOf(o).String(), Action: converge.Create})
	}
	return p
}

// ready waits until the add-on's objects are what they should be; those that
// its addon.yaml skips are waited for by a hook.
func (s *Session) ready(name string) converge.Step {
	return step{
		name: name + "/ready",
		plan: func(ctx context.Context) (converge.Plan, error) {
			_, pending, err := s.pending(ctx, name)
			p := converge.Plan{}
			for _, one := range pending {
				p.Changes = append(p.Changes, converge.Change{Subject: one.Subject, Action: converge.Wait, Note: one.Reason})
			}
			return p, err
		},
		apply: func(ctx context.Context, _ converge.Plan) error {
			cluster, err := s.cluster(ctx)
			if err != nil {
				return err
			}
			part, _, err := s.part(ctx, name)
			if err != nil {
				return err
			}
			return cluster.Wait(ctx, part.Objects, waitOptions(part.Rules))
		},
	}
}

func (s *Session) pending(ctx context.Context, name string) (version string, pending []kube.Pending, err error) {
	cluster, err := s.reachable(ctx)
	if err != nil {
		return "", nil, err
	}
	part, _, err := s.part(ctx, name)
	if err != nil {
		return "", nil, err
	}
	pending, err = cluster.Pending(ctx, part.Objects, waitOptions(part.Rules))
	return part.Version, pending, err
}
