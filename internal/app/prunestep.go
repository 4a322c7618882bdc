// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/kube"
	"clusterup.dev/clusterup/internal/release"
)

// protected kinds hold what others made or what cannot be made again; they are
// pruned only when the run allows it.
func protected(kind string) bool {
	return slices.Contains([]string{"Namespace", "CustomResourceDefinition", "PersistentVolumeClaim", "PersistentVolume"}, kind)
}

// prune deletes what an earlier release, or an attempt at one, brought and this
// release lacks.
func (s *Session) prune() converge.Step {
	return step{
		name: prune,
		plan: func(ctx context.Context) (converge.Plan, error) {
			leftovers, err := s.leftovers(ctx)
			if err != nil || len(leftovers) == 0 {
				return converge.Plan{}, err
			}
			p := converge.Plan{Basis: leftovers}
			for _, ref := range leftovers {
				p.Changes = append(p.Changes, converge.Change{Subject: ref.String(), Action: converge.Delete, Note: "no longer in the release"})
			}
			return p, nil
		},
		apply: func(ctx context.Context, p converge.Plan) error {
			leftovers, ok := p.Basis.([]kube.Ref)
			if !ok {
				return converge.ErrStale
			}
			kept := []string{}
			for _, ref := range leftovers {
				if protected(ref.Kind) {
					kept = append(kept, ref.String())
				}
			}
			if len(kept) > 0 && !s.options.AllowPrune {
				return hint.With(fmt.Errorf("not deleting %s: what is in it would be lost", strings.Join(kept, ", ")),
					"look at `clusterup diff %s`, then run again with --allow-prune", s.Name())
			}
			cluster, err := s.cluster(ctx)
			if err != nil {
				return err
			}
			return cluster.Delete(ctx, leftovers, kube.DeleteOptions{})
		},
		// Add-ons that were taken out of the file and never pruned.
		destroy: func(ctx context.Context) error {
			return s.removeObjects(ctx, func(addon string) bool { return !slices.Contains(s.addonNames(), addon) })
		},
	}
}

// leftovers are the objects of the inventory that the wanted release lacks and
// that are still in the cluster, with their UIDs.
func (s *Session) leftovers(ctx context.Context) ([]kube.Ref, error) {
	want, err := s.rendered(ctx)
	if err != nil {
		return nil, err
	}
	inventory, err := s.inventory(ctx)
	if err != nil {
		return nil, err
	}
	wanted := map[kube.Ref]bool{}
	for _, r := range want.Refs() {
		wanted[anyVersion(r)] = true
	}
	lacking := slices.DeleteFunc(slices.Clone(inventory.Refs), func(r release.Ref) bool { return wanted[anyVersion(r)] })
	if len(lacking) == 0 {
		return nil, nil // the cluster need not even answer
	}
	cluster, err := s.reachable(ctx)
	if err != nil {
		return nil, err
	}
	return alive(ctx, cluster, lacking, func(live *unstructured.Unstructured) bool { return s.notOurs(live) == nil })
}

// alive gives those of refs that are still in the cluster and that may be
// deleted, with their UIDs: what somebody puts in their place is not theirs.
func alive(ctx context.Context, cluster *kube.Cluster, refs []release.Ref, may func(live *unstructured.Unstructured) bool) ([]kube.Ref, error) {
	found := []kube.Ref{}
	for _, r := range refs {
		live, err := cluster.Get(ctx, kubeRef(r))
		if err != nil {
			return nil, err
		}
		if live != nil && may(live) {
			found = append(found, kube.RefOf(live))
		}
	}
	return found, nil
}

func kubeRef(r release.Ref) kube.Ref {
	return kube.Ref{APIVersion: r.APIVersion, Kind: r.Kind, Namespace: r.Namespace, Name: r.Name}
}

// anyVersion is what the versions of one API agree on: an add-on that moves to a
// newer one still has the same object.
func anyVersion(r release.Ref) kube.Ref {
	ref := kubeRef(r)
	group, _, ok := strings.Cut(r.APIVersion, "/")
	if !ok {
		group = "" // v1
	}
	ref.APIVersion = group
	return ref
}
