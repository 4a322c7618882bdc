// SPDX-License-Identifier: Apache-2.0

package app

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/kube"
	"clusterup.dev/clusterup/internal/release"
)

// protected reports whether an object is pruned only when the run allows it: it
// holds what others made or what cannot be made again, or its add-on says so.
func protected(kind string, origin release.Origin) bool {
	kinds := []string{"Namespace", "CustomResourceDefinition", "PersistentVolumeClaim", "PersistentVolume"}
	return slices.Contains(kinds, kind) || origin.Tokens || origin.Protect
}

// whyGone is the note of a deletion.
func whyGone(addon string, stays bool, origin release.Origin) string {
	switch {
	case !origin.Current:
		return "from an attempt that died"
	case !stays:
		return "add-on " + addon + " was removed"
	}
	return "no longer in the release"
}

// smallAddon is up to how many objects an add-on has no budget: taking two of three
// out of a folder is no surprise.
const smallAddon = 3

// overBudget says of which add-ons more than half of what they had would be deleted.
// Add-ons that were removed as a whole are not counted: that is a line in the
// environment file. Nor is what only an attempt brought that died, unless the current
// release lacks the add-on: then that is all there is of it.
func overBudget(loses map[string]int, had func(addon string) (n int, current bool)) []string {
	over := []string{}
	for _, addon := range slices.Sorted(maps.Keys(loses)) {
		all, _ := had(addon)
		if n := loses[addon]; all > smallAddon && 2*n > all {
			over = append(over, fmt.Sprintf("%d of the %d objects of add-on %s would be deleted, which is more than half", n, all, addon))
		}
	}
	return over
}

// Allowed refuses, before anything is changed, a plan that deletes what this run may
// not delete, and remembers what the others delete: a run deletes nothing else.
func (s *Session) Allowed(planned []converge.Planned) error {
	s.shown = map[kube.Ref]bool{}
	for _, one := range planned {
		if p, ok := one.Plan.Basis.(pruning); ok {
			for _, o := range p.going {
				s.shown[withoutVersion(o.Ref)] = true
			}
			return s.mayPrune(p)
		}
	}
	return nil
}

// wasShown refuses what was not in the plan that the run began with: prune is planned
// again after what comes before it, and by then nobody is asked any more.
func (s *Session) wasShown(p pruning) error {
	switch {
	case p.blind:
		return fmt.Errorf("the cluster was not looked at: %w", converge.ErrStale)
	case s.shown == nil:
		return nil // the step alone, outside of a run: its own plan is the only one
	}
	unshown := []string{}
	for _, o := range p.going {
		exactly := withoutVersion(o.Ref)
		byName := exactly
		byName.UID = "" // as a plan without a cluster names it
		if !s.shown[exactly] && !s.shown[byName] {
			unshown = append(unshown, o.String())
		}
	}
	if len(unshown) == 0 {
		return nil
	}
	return fmt.Errorf("not deleting %s, which the plan of this run did not show: %w", some(unshown), converge.ErrStale)
}

// sayWhatStays names what is forgotten by this run and left in the cluster.
func (s *Session) sayWhatStays(planned []converge.Planned) {
	for _, one := range planned {
		if p, ok := one.Plan.Basis.(pruning); ok {
			for _, line := range p.stays {
				s.say("%s", line)
			}
		}
	}
}

func (s *Session) mayPrune(p pruning) error {
	kept := []string{}
	for _, o := range p.going {
		if o.protected {
			kept = append(kept, o.String())
		}
	}
	if s.options.AllowPrune || p.blind || len(kept)+len(p.over) == 0 {
		return nil // a blind one is looked at again before anything is deleted
	}
	reasons := []string{}
	if len(kept) > 0 {
		reasons = append(reasons, "not deleting "+some(kept)+": protected, what is in it could be lost")
	}
	err := errors.New(strings.Join(append(reasons, p.over...), "; "))
	return hint.With(err, "look at `clusterup diff %s`, then run again with --allow-prune", s.Name())
}

// some names the first few and counts the rest.
func some(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
