// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/store"
)

// Plan plans every step side by side; only narrows it to one step, or to the
// steps of one add-on, and what they stand on.
func (s *Session) Plan(ctx context.Context, only string) ([]converge.Planned, error) {
	items := s.steps()
	if only != "" {
		if items = narrow(items, only); len(items) == 0 {
			return nil, hint.With(fmt.Errorf("there is no step %q", only), "the steps are %s", strings.Join(s.StepNames(), ", "))
		}
	}
	if err := s.answers(ctx); err != nil {
		return nil, err
	}
	inventory := memo(s.inventoryNow)
	s.planning.Store(&inventory)
	defer s.planning.Store(nil)
	return converge.PlanAll(ctx, items)
}

// answers refuses, once and not for every step, an existing cluster that cannot be
// reached or that is not the one to which the environment is bound. What
// Terraform makes may not be there yet.
func (s *Session) answers(ctx context.Context) error {
	if s.env.Spec.Cluster.Terraform != nil {
		return nil
	}
	cluster, err := s.cluster(ctx)
	if err != nil {
		return err
	}
	if _, err = s.sameCluster(ctx, cluster); errors.Is(err, store.ErrNotFound) {
		return nil // not bound yet
	}
	return err
}

// Apply carries the plans out and tells observe what happens, and the journal
// how it began and ended.
func (s *Session) Apply(ctx context.Context, planned []converge.Planned, observe func(converge.Event)) ([]converge.Result, error) {
	if err := s.Allowed(planned); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(planned, converge.Planned.Pending) {
		return converge.Runner{Observe: observe}.Apply(ctx, planned)
	}
	s.sayWhatStays(planned)
	digest := ""
	if want, err := s.rendered(ctx); err == nil {
		digest = want.Digest
	}
	end := s.begin(ctx, digest, planned)
	results, err := converge.Runner{Observe: observe}.Apply(ctx, planned)
	end(ctx, results, err)
	return results, err
}

// StepNames lists the steps in order.
func (s *Session) StepNames() []string {
	all := []string{}
	for _, item := range s.steps() {
		all = append(all, item.Step.Name())
	}
	return all
}

// narrow keeps the named step, or those of the named add-on, and all that they
// stand on: what guards a step, such as the binding, is never left out.
func narrow(items []converge.Item, only string) []converge.Item {
	wanted := map[string]bool{}
	kept := []converge.Item{}
	for _, item := range slices.Backward(items) { // needs stand before those that need them
		name := item.Step.Name()
		if !wanted[name] && name != only && !strings.HasPrefix(name, only+"/") {
			continue
		}
		for _, need := range item.After {
			wanted[need] = true
		}
		kept = append(kept, item)
	}
	slices.Reverse(kept)
	return kept
}
