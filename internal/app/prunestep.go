// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/kube"
	"clusterup.dev/clusterup/internal/release"
)

// pruning is the plan of the prune step.
type pruning struct {
	going []going
	over  []string // add-ons that would lose more than the budget allows, in words
	stays []string // what is left in the cluster although the release lacks it, in words
	blind bool     // the cluster does not answer yet: what of it is there is seen later
}

// going is one object that is to be deleted.
type going struct {
	kube.Ref
	note      string
	protected bool
}

// prune deletes what an earlier release, or an attempt at one, brought and this
// release lacks.
func (s *Session) prune() converge.Step {
	return step{
		name: prune,
		plan: func(ctx context.Context) (converge.Plan, error) {
			p, err := s.pruning(ctx)
			if err != nil && !p.blind {
				return converge.Plan{}, err
			}
			plan := converge.Plan{Basis: p, Notices: p.stays}
			for _, o := range p.going {
				note := o.note
				if o.protected {
					note += "; protected: needs --allow-prune"
				}
				plan.Changes = append(plan.Changes, converge.Change{Subject: o.String(), Action: converge.Delete, Note: note})
			}
			for _, over := range p.over {
				plan.Notices = append(plan.Notices, over+": needs --allow-prune")
			}
			return plan, err
		},
		apply: func(ctx context.Context, plan converge.Plan) error {
			p, ok := plan.Basis.(pruning)
			if !ok {
				return converge.ErrStale
			}
			if err := s.wasShown(p); err != nil {
				return err
			}
			if err := s.mayPrune(p); err != nil {
				return err
			}
			cluster, err := s.cluster(ctx)
			if err != nil {
				return err
			}
			refs := make([]kube.Ref, 0, len(p.going))
			for _, o := range p.going {
				refs = append(refs, o.Ref)
			}
			return cluster.Delete(ctx, refs, kube.DeleteOptions{})
		},
		// Add-ons that were taken out of the file and never pruned.
		destroy: func(ctx context.Context) error {
			return s.removeObjects(ctx, func(addon string) bool { return !slices.Contains(s.addonNames(), addon) })
		},
	}
}

// pruning finds the objects of the inventory that the wanted release lacks and
// that are still in the cluster, with their UIDs. While the cluster does not answer, it
// names them all, with converge.ErrNotYet.
func (s *Session) pruning(ctx context.Context) (pruning, error) {
	parts, err := s.wantedParts(ctx)
	if err != nil {
		return pruning{}, err
	}
	inventory, err := s.inventory(ctx)
	if err != nil {
		return pruning{}, err
	}
	wanted, addons := map[kube.Ref]bool{}, map[string]bool{}
	for _, part := range parts {
		addons[part.Addon] = true
		for _, o := range part.Objects {
			wanted[anyVersion(release.RefOf(part.Addon, o))] = true
		}
	}
	lacking := slices.DeleteFunc(slices.Clone(inventory.Refs), func(r release.Ref) bool { return wanted[anyVersion(r)] })
	if len(lacking) == 0 {
		return pruning{}, nil // the cluster need not even answer
	}
	cluster, err := s.reachable(ctx)
	if errors.Is(err, converge.ErrNotYet) {
		p := pruning{blind: true}
		for _, from := range lacking {
			origin := inventory.Origin(from)
			note := whyGone(from.Addon, addons[from.Addon], origin) + ", if it is there"
			p.going = append(p.going, going{Ref: kubeRef(from), note: note, protected: protected(from.Kind, origin)})
		}
		return p, err
	}
	if err != nil {
		return pruning{}, err
	}
	found, stays, err := s.alive(ctx, cluster, lacking)
	if err != nil {
		return pruning{}, err
	}
	p, loses := pruning{stays: stays}, map[string]int{}
	for i, ref := range found {
		if ref.Name == "" {
			continue
		}
		from := lacking[i]
		origin := inventory.Origin(from)
		p.going = append(p.going, going{Ref: ref, note: whyGone(from.Addon, addons[from.Addon], origin), protected: protected(ref.Kind, origin)})
		if _, current := inventory.Had(from.Addon); addons[from.Addon] && (origin.Current || !current) {
			loses[from.Addon]++
		}
	}
	p.over = overBudget(loses, inventory.Had)
	return p, nil
}

// wantedParts are those of the wanted release, or, while tokens are missing, of its
// sketch: which objects there are cannot depend on a secret.
func (s *Session) wantedParts(ctx context.Context) ([]release.Part, error) {
	want, err := s.rendered(ctx)
	if errors.Is(err, converge.ErrNotYet) {
		return s.sketched(ctx)
	}
	if err != nil {
		return nil, err
	}
	return want.Parts, nil
}

func kubeRef(r release.Ref) kube.Ref {
	return kube.Ref{APIVersion: r.APIVersion, Kind: r.Kind, Namespace: r.Namespace, Name: r.Name}
}

// anyVersion is what the versions of one API agree on: an add-on that moves to a
// newer one still has the same object.
func anyVersion(r release.Ref) kube.Ref {
	return withoutVersion(kubeRef(r))
}

func withoutVersion(ref kube.Ref) kube.Ref {
	group, _, ok := strings.Cut(ref.APIVersion, "/")
	if !ok {
		group = "" // v1
	}
	ref.APIVersion = group
	return ref
}
