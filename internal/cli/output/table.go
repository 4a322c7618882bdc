// SPDX-License-Identifier: Apache-2.0

package output

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"clusterup.dev/clusterup/internal/converge"
)

// Rows writes a table of aligned columns, indented by two.
func Rows(w io.Writer, rows [][]string) {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(t, "  "+strings.Join(row, "\t"))
	}
	_ = t.Flush()
}

// Times writes how long each step took that did something, and the total that
// the run took by the clock on the wall.
func Times(w io.Writer, results []converge.Result, total string) {
	rows := [][]string{}
	for _, r := range results {
		if r.Outcome == converge.Done || r.Outcome == converge.Failed {
			rows = append(rows, []string{r.Step, Seconds(r.Took)})
		}
	}
	Rows(w, append(rows, []string{"total", total}))
}

// Undone writes which steps failed, and which ones each of them held back.
func Undone(w io.Writer, results []converge.Result) {
	failed, held, by := []string{}, [][]string{}, map[string]int{}
	for _, r := range results {
		switch {
		case r.Outcome == converge.Failed:
			failed = append(failed, r.Step)
		case r.Outcome != converge.Blocked || r.Needs == "":
		default:
			at, known := by[r.Needs]
			if !known {
				at = len(held)
				by[r.Needs], held = at, append(held, []string{"held back by " + r.Needs, ""})
			}
			held[at][1] = strings.TrimPrefix(held[at][1]+", "+r.Step, ", ")
		}
	}
	if len(failed) > 0 {
		fmt.Fprintln(w)
		Rows(w, append([][]string{{"failed", strings.Join(failed, ", ")}}, held...))
	}
}

// Changes writes changes under a title.
func Changes(w io.Writer, title string, changes []converge.Change) {
	fmt.Fprintln(w, title)
	for _, c := range changes {
		change(w, c)
	}
}
