// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"fmt"
	"slices"

	"clusterup.dev/clusterup/internal/converge"
)

// podsStep replaces the pods of an older revision that do not run: nobody is served
// by them, and what is wrong with them may be what the new revision mends. It goes
// before the init, which such a pod may be in the way of.
type podsStep struct{ v *Vault }

func (podsStep) Name() string { return "vault/pods" }

// Destroy has nothing to remove: the pods go with the add-on's objects.
func (podsStep) Destroy(context.Context) error { return nil }

func (s podsStep) Plan(ctx context.Context) (converge.Plan, error) {
	pods, err := s.v.cfg.Pods.List(ctx)
	if err != nil {
		return converge.Plan{}, fmt.Errorf("listing Vault's pods: %w", err)
	}
	var plan converge.Plan
	for _, p := range pods {
		if p.dead() {
			plan.Changes = append(plan.Changes, converge.Change{Subject: "Vault " + p.Name, Action: converge.Replace, Note: "new revision; the pod does not run"})
		}
	}
	return plan, nil
}

func (p Pod) dead() bool { return p.Outdated && !p.Running }

// Apply replaces those that do not run now.
func (s podsStep) Apply(ctx context.Context, _ converge.Plan) error {
	pods, err := s.v.cfg.Pods.List(ctx)
	if err != nil {
		return fmt.Errorf("listing Vault's pods: %w", err)
	}
	for _, p := range pods {
		if p.dead() {
			if err := s.v.cfg.Pods.Delete(ctx, p); err != nil {
				return fmt.Errorf("replacing %s: %w", p.Name, err)
			}
		}
	}
	return converge.Until(ctx, "the pods of Vault that did not run to be replaced", s.v.cfg.Timeout, func(ctx context.Context) (bool, string, error) {
		now, err := s.v.cfg.Pods.List(ctx)
		return err == nil && !slices.ContainsFunc(now, Pod.dead), "one is still there", err
	})
}
