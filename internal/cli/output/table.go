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
