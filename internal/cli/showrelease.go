// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"clusterup.dev/clusterup/internal/app"
	"clusterup.dev/clusterup/internal/cli/output"
)

// releaseRows is a table of releases.
func releaseRows(all []app.Release) [][]string {
	rows := [][]string{{"RELEASE", "FIRST ATTEMPTED", "BY", "OBJECTS", "ADD-ONS", ""}}
	for _, r := range all {
		addons := []string{}
		for _, a := range r.Addons {
			addons = append(addons, a.Name+" "+a.Version)
		}
		rows = append(rows, []string{
			app.Short(r.Digest), attemptedAt(r), orDash(r.Who), strconv.Itoa(r.Objects), orDash(strings.Join(addons, ", ")), marks(r),
		})
	}
	return rows
}

func attemptedAt(r app.Release) string {
	if r.First.IsZero() {
		return "-"
	}
	return r.First.Local().Format(timeForm)
}

// marks is what is special about a release.
func marks(r app.Release) string {
	said := []string{}
	for _, m := range []struct {
		is   bool
		said string
	}{{r.Current, "current"}, {r.Previous, "previous"}, {r.Attempted, "attempted since"}} {
		if m.is {
			said = append(said, m.said)
		}
	}
	switch n := len(r.Damage); {
	case n == 1:
		said = append(said, "damaged: "+r.Damage[0])
	case n > 1:
		said = append(said, fmt.Sprintf("damaged: %s (and %d more)", r.Damage[0], n-1))
	}
	return strings.Join(said, ", ")
}

func showRelease(w io.Writer, r app.Release) {
	rows := [][]string{{"release", r.Digest}, {"first attempted", attemptedAt(r) + " by " + orDash(r.Who)}}
	if m := marks(r); m != "" {
		rows = append(rows, []string{"state", m})
	}
	output.Rows(w, rows)
	for _, a := range r.Addons {
		fmt.Fprintf(w, "\n  %s %s\n", a.Name, a.Version)
		rows = [][]string{}
		for _, part := range [][]string{{"  in clear", a.Objects}, {"  sealed", a.Secrets}} {
			if part[1] != "" {
				rows = append(rows, part)
			}
		}
		output.Rows(w, rows)
		for _, item := range a.Items {
			name := strings.TrimPrefix(item.Namespace+"/"+item.Name, "/")
			tokens := ""
			if len(item.Tokens) > 0 {
				tokens = "  (from tokens: " + strings.Join(item.Tokens, ", ") + ")"
			}
			fmt.Fprintf(w, "    %s %s%s\n", item.Kind, name, tokens)
		}
	}
}

func withoutInventory(r app.Release) app.Release {
	for i := range r.Addons {
		r.Addons[i].Items = nil
	}
	return r
}

func showDelta(w io.Writer, c app.Comparison) {
	from := "nothing"
	if c.From != "" {
		from = app.Short(c.From)
	}
	fmt.Fprintf(w, "%s → %s\n", from, app.Short(c.To))
	if len(c.Addons) == 0 {
		fmt.Fprintln(w, "no object differs")
	}
	for _, a := range c.Addons {
		title := a.Name + " " + a.To
		switch {
		case a.From == "":
			title += "  (new)"
		case a.To == "":
			title = a.Name + " " + a.From + "  (removed)"
		case a.From != a.To:
			title = fmt.Sprintf("%s %s → %s", a.Name, a.From, a.To)
		}
		output.Changes(w, title, a.Changes)
	}
}
