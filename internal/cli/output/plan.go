// SPDX-License-Identifier: Apache-2.0

// Package output writes plans, progress and tables. Plans and tables are the
// product and go to stdout; progress goes to stderr.
package output

import (
	"fmt"
	"io"
	"strings"

	"clusterup.dev/clusterup/internal/converge"
)

// sign is the mark before a change, in the order in which the summary counts them.
var signs = []struct {
	action converge.Action
	mark   string
}{
	{converge.Create, "+"},
	{converge.Update, "~"},
	{converge.Replace, "±"},
	{converge.Delete, "-"},
	{converge.Run, ">"},
	{converge.Wait, "…"},
}

// Plan writes the changes of every step that has some, then one line that
// counts them. Nothing to do is one line.
func Plan(w io.Writer, planned []converge.Planned) {
	for _, p := range planned {
		for _, n := range p.Plan.Notices {
			fmt.Fprintf(w, "%s\n  ! %s\n", p.Step.Name(), n)
		}
		if !p.Pending() {
			continue
		}
		after := ""
		if p.Plan.After != "" {
			after = "  (known after " + p.Plan.After + ")"
		}
		fmt.Fprintf(w, "%s%s\n", p.Step.Name(), after)
		for _, c := range p.Plan.Changes {
			change(w, c)
		}
	}
	fmt.Fprintln(w, Summary(planned))
}

func change(w io.Writer, c converge.Change) {
	note := ""
	if c.Note != "" {
		note = "  (" + c.Note + ")"
	}
	fmt.Fprintf(w, "  %s %s%s\n", mark(c.Action), c.Subject, note)
	for _, f := range c.Fields {
		by := ""
		if f.Manager != "" {
			by = "  (set by " + f.Manager + ")"
		}
		fmt.Fprintf(w, "      %s: %s → %s%s\n", f.Path, orNone(f.Old), orNone(f.New), by)
	}
}

// Summary is the plan in one line: "plan: 3 to create, 1 to update" or
// "nothing to do".
func Summary(planned []converge.Planned) string {
	counts, unknown := map[converge.Action]int{}, 0
	for _, p := range planned {
		if p.Pending() && p.Plan.After != "" {
			unknown++
		}
		for _, c := range p.Plan.Changes {
			counts[c.Action]++
		}
	}
	parts := []string{}
	for _, s := range signs {
		if n := counts[s.action]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d to %s", n, verb(s.action)))
		}
	}
	if unknown > 0 {
		parts = append(parts, fmt.Sprintf("%s known only on the way", Count(unknown, "step")))
	}
	if len(parts) == 0 {
		return "nothing to do"
	}
	return "plan: " + strings.Join(parts, ", ")
}

func verb(a converge.Action) string {
	if a == converge.Wait {
		return "wait for"
	}
	return string(a)
}

func mark(a converge.Action) string {
	for _, s := range signs {
		if s.action == a {
			return s.mark
		}
	}
	return "?"
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

// Count is a number with its noun.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
