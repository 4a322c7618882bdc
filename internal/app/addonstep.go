// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/kube"
	"clusterup.dev/clusterup/internal/release"
	"clusterup.dev/clusterup/internal/secret"
)

// objects are those of one add-on, from the staged release, or, while there is
// none, from the one in memory, or, while there are no tokens, rendered with
// placeholders: then only their names mean something.
func (s *Session) objects(ctx context.Context, name string) ([]*unstructured.Unstructured, error) {
	for _, source := range []later[*release.Release]{s.staged, s.rendered} {
		r, err := source(ctx)
		switch {
		case errors.Is(err, converge.ErrNotYet):
			continue
		case err != nil:
			return nil, err
		}
		for _, part := range r.Parts {
			if part.Addon == name {
				return part.Objects, nil
			}
		}
		return nil, fmt.Errorf("release %s has no add-on %s", short(r.Digest), name)
	}
	return s.preview(name)
}

func (s *Session) preview(name string) ([]*unstructured.Unstructured, error) {
	sets, err := s.render(secret.Placeholders(s.specs))
	if err != nil {
		return nil, err
	}
	for i, c := range s.addons {
		if c.Name == name {
			return plain(sets[i]), nil
		}
	}
	return nil, fmt.Errorf("there is no add-on %s", name)
}

// apply brings the add-on's objects to what the staged release says.
func (s *Session) apply(c chosen) converge.Step {
	return step{
		name: c.Name + "/apply",
		plan: func(ctx context.Context) (converge.Plan, error) {
			objects, err := s.objects(ctx, c.Name)
			if err != nil {
				return converge.Plan{}, err
			}
			cluster, err := s.reachable(ctx)
			if errors.Is(err, converge.ErrNotYet) {
				return newObjects(objects), err
			}
			if err != nil {
				return converge.Plan{}, err
			}
			plan, err := cluster.Plan(ctx, objects, kube.Options{Refuse: s.notOurs})
			if err != nil {
				return converge.Plan{}, err
			}
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
			return cluster.Apply(ctx, plan)
		},
		destroy: func(ctx context.Context) error {
			return s.removeObjects(ctx, func(addon string) bool { return addon == c.Name })
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

const defaultReady = 5 * time.Minute

// ready waits until the add-on's objects are what they should be; those that
// its addon.yaml skips are waited for by a hook.
func (s *Session) ready(c chosen) converge.Step {
	return step{
		name: c.Name + "/ready",
		plan: func(ctx context.Context) (converge.Plan, error) {
			pending, err := s.pending(ctx, c)
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
			objects, err := s.objects(ctx, c.Name)
			if err != nil {
				return err
			}
			timeout := c.Ready.Timeout
			if timeout == 0 {
				timeout = defaultReady
			}
			return cluster.Wait(ctx, objects, kube.WaitOptions{Timeout: timeout, Skip: c.Ready.Skip})
		},
	}
}

func (s *Session) pending(ctx context.Context, c chosen) ([]kube.Pending, error) {
	cluster, err := s.reachable(ctx)
	if err != nil {
		return nil, err
	}
	objects, err := s.objects(ctx, c.Name)
	if err != nil {
		return nil, err
	}
	return cluster.Pending(ctx, objects, c.Ready.Skip)
}
