// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

// The goals, which hold on a machine that does nothing else.
const (
	goalFirst  = 1.3 // times the bare client
	goalAgain  = 6.0 // times one LIST a kind with the same decoder
	goalFound  = 0.4 // seconds, one drifted object among goalSize
	goalMemory = 150 // MB
	goalGrowth = 2.2 // times as long for twice as many objects: linear, and some noise
	goalSize   = 5000

	// Of a run that has nothing to do: so many requests, and so many for each kind.
	// The whole command also looks at nodes and namespaces.
	goalRequests, goalRequestsCommand, goalRequestsKind = 5, 15, 2
)

// goal is one of them, at one table.
type goal struct {
	what           string
	measured, most float64
	unit           string
}

// goals writes what was measured beside what is wanted, and gives what was missed.
func (r *report) goals(out *strings.Builder) []string {
	var all []goal
	for _, t := range r.tables {
		all = append(all, t.goals()...)
		for _, half := range r.tables {
			if half.profile == t.profile && half.size >= goalSize && half.size*2 == t.size {
				all = append(all, growth(half, t)...)
			}
		}
	}
	var missed []string
	fmt.Fprint(out, "\n### Goals\n\n| | measured | goal | |\n|---|---:|---:|---|\n")
	for _, g := range all {
		verdict := "met"
		line := fmt.Sprintf("%s: %.2f%s, at most %g%s", g.what, g.measured, g.unit, g.most, g.unit)
		switch {
		case g.measured == 0:
			verdict = "not measured"
			missed = append(missed, line)
		case g.measured > g.most:
			verdict = "missed"
			missed = append(missed, line)
		}
		fmt.Fprintf(out, "| %s | %.2f%s | ≤ %g%s | %s |\n", g.what, g.measured, g.unit, g.most, g.unit, verdict)
	}
	return missed
}

func (t *table) goals() []goal {
	name := func(what string) string { return fmt.Sprintf("%s, %d %s", what, t.size, t.profile) }
	kinds := float64(len(profiles()[t.profile]))
	var all []goal
	if bare := t.seconds(rowBare, first); bare > 0 && t.ran(rowEngine) {
		all = append(all, goal{name("first apply : bare client"), t.seconds(rowEngine, first) / bare, goalFirst, ""})
	}
	if list := t.seconds(rowMetadata, again); list > 0 {
		all = append(all, goal{name("nothing to do : one LIST"), t.seconds(rowEngine, again) / list, goalAgain, ""})
	}
	if t.ran(rowEngine) {
		requests := float64(t.requests[rowEngine].total())
		all = append(all, goal{name("requests with nothing to do, engine"), requests, goalRequests + goalRequestsKind*kinds, ""})
	}
	if t.ran(rowCreate) {
		requests := float64(t.requests[rowCreate].total())
		all = append(all, goal{name("requests with nothing to do, `create`"), requests, goalRequestsCommand + goalRequestsKind*kinds, ""})
	}
	if t.size > goalSize {
		return all
	}
	if t.ran(rowEngine) {
		all = append(all,
			goal{name("one drifted object found and named"), median(t.look(rowEngine).found), goalFound, " s"},
			goal{name("memory of the engine"), t.peak(rowEngine), goalMemory, " MB"})
	}
	if t.ran(rowCreate) {
		all = append(all, goal{name("memory of `create` and `diff`"), max(t.peak(rowCreate), t.peak(rowDiff)), goalMemory, " MB"})
	}
	return all
}

func growth(half, whole *table) []goal {
	var all []goal
	for _, c := range []column{first, again} {
		if before := half.seconds(rowEngine, c); before > 0 {
			all = append(all, goal{
				fmt.Sprintf("%s, %s: %d after %d", c, whole.profile, whole.size, half.size), whole.seconds(rowEngine, c) / before, goalGrowth, "",
			})
		}
	}
	return all
}
