// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"clusterup.dev/clusterup/internal/app"
)

func newAddonLint(s Streams, f *flags) *cobra.Command {
	var update bool
	c := &cobra.Command{
		Use: "lint [DIR...]", Short: "Check add-on folders offline; each DIR is one or holds some (default: addons)",
		RunE: func(_ *cobra.Command, args []string) error {
			report, err := app.Lint(args, f.addonsDirs, update)
			if err != nil {
				return err
			}
			if f.format == "json" {
				err = writeJSON(s.Out, report)
			} else {
				writeFindings(s.Out, report)
			}
			if err == nil && report.Failed() {
				return exitCode(ExitError)
			}
			return err
		},
	}
	c.Flags().BoolVar(&update, "update", false, "write testdata/*/golden.yaml anew instead of comparing with it")
	return c
}

// writeFindings writes a line for each finding, as compilers do, and one that
// counts them.
func writeFindings(w io.Writer, report app.LintReport) {
	counts := map[string]int{}
	for _, f := range report.Findings {
		counts[f.Level]++
		fmt.Fprintf(w, "%s: %s: %s\n", f.Where(), f.Level, f.Message)
		if f.Hint != "" {
			fmt.Fprintf(w, "    hint: %s\n", f.Hint)
		}
	}
	found := []string{}
	for _, level := range []string{"error", "warning"} {
		if n := counts[level]; n > 0 {
			found = append(found, counted(n, level))
		}
	}
	if len(found) == 0 {
		found = []string{"no findings"}
	}
	fmt.Fprintf(w, "%s, %s\n", counted(len(report.Addons), "add-on"), strings.Join(found, ", "))
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
