// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// report is everything that was measured.
type report struct {
	settings settings
	tables   []*table
}

func (r *report) begin(profile string, size int) *table {
	t := &table{profile: profile, size: size, requests: make(map[string]requests)}
	r.tables = append(r.tables, t)
	return t
}

// text is the report in Markdown, and the goals that were missed.
func (r *report) text() (text string, missed []string) {
	var out strings.Builder
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Fprintf(&out, "%d cores, %d rounds, medians; load at the end %s\n", runtime.NumCPU(), r.settings.rounds, strings.TrimSpace(string(load)))
	for _, t := range r.tables {
		t.markdown(&out)
	}
	r.requests(&out)
	missed = r.goals(&out)
	return out.String(), missed
}

// requests tells what a run of clusterup that has nothing to do asks the server.
func (r *report) requests(out *strings.Builder) {
	fmt.Fprint(out, "\n### Requests of a run that has nothing to do, as the API server counts them\n\n")
	fmt.Fprint(out, "| objects | | requests | which |\n|---|---|---:|---|\n")
	for _, t := range r.tables {
		for _, name := range []string{rowEngine, rowCreate} {
			if all, ok := t.requests[name]; ok {
				fmt.Fprintf(out, "| %d, %s | %s | %d | %s |\n", t.size, t.profile, name, all.total(), all)
			}
		}
	}
}
