// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"clusterup.dev/clusterup/internal/app"
	"clusterup.dev/clusterup/internal/cli/output"
	"clusterup.dev/clusterup/internal/hint"
)

// keptReleases is how many releases stay when nobody says how many.
const keptReleases = 10

func newReleaseGC(s Streams, f *flags) *cobra.Command {
	var keep int
	var yes bool
	c := &cobra.Command{
		Use: "gc ENV", Short: "Delete releases that are old, and what only they need",
		Args: environmentArg,
		RunE: func(c *cobra.Command, args []string) error {
			if keep < 1 {
				return hint.With(fmt.Errorf("%d is no number of releases to keep", keep), "give --keep 1 or more")
			}
			return f.collect(c.Context(), s, args[0], keep, !yes)
		},
	}
	c.Flags().IntVar(&keep, "keep", keptReleases, "keep this `number` of releases, and what the current one needs")
	c.Flags().BoolVar(&yes, "yes", false, "delete without asking")
	lockTimeout(c, f)
	return c
}

// collected is the answer of `release gc -o json`.
type collected struct {
	Environment string      `json:"environment"`
	Deleted     app.Garbage `json:"deleted"`
}

func (f *flags) collect(ctx context.Context, s Streams, name string, keep int, asks bool) error {
	ctx, end, session, err := f.hold(ctx, s, name, "release gc")
	defer end()
	if err != nil {
		return err
	}
	garbage, err := session.Garbage(ctx, keep)
	if err != nil {
		return err
	}
	if f.format == "text" {
		showGarbage(s, session.Name(), garbage)
	}
	if !garbage.Empty() {
		if asks {
			if err := confirm(s, "delete this?", "deleted"); err != nil {
				return err
			}
		}
		if err := session.Collect(ctx, garbage); err != nil {
			return err
		}
	}
	if f.format == "json" {
		return writeJSON(s.Out, collected{Environment: session.Name(), Deleted: garbage})
	}
	if !garbage.Empty() {
		fmt.Fprintf(s.Out, "%s: deleted %s\n", session.Name(), amount(garbage))
	}
	return nil
}

// showGarbage says what goes before anybody is asked.
func showGarbage(s Streams, name string, g app.Garbage) {
	if g.Empty() {
		fmt.Fprintf(s.Out, "%s: nothing to collect, %s stay\n", name, output.Count(g.Kept, "release"))
		return
	}
	if len(g.Releases) > 0 {
		output.Rows(s.Err, releaseRows(g.Releases))
	}
	fmt.Fprintf(s.Err, "  to delete: %s; %s stay\n", amount(g), output.Count(g.Kept, "release"))
}

func amount(g app.Garbage) string {
	return fmt.Sprintf("%s, %s (%d bytes), %s, %s of runs", output.Count(len(g.Releases), "release"),
		output.Count(g.Objects, "object"), g.Bytes, output.Count(g.Attempts, "attempt"), output.Count(g.Runs, "record"))
}
