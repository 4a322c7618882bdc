// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"clusterup.dev/clusterup/internal/cli/output"
	"clusterup.dev/clusterup/internal/converge"
)

func newDestroy(s Streams, f *flags) *cobra.Command {
	var yes, purge bool
	c := &cobra.Command{
		Use: "destroy ENV", Short: "Remove the environment; --purge also empties the bucket",
		Args: environmentArg,
		RunE: func(c *cobra.Command, args []string) error {
			return f.destroy(c.Context(), s, args[0], yes, purge)
		},
	}
	c.Flags().BoolVar(&yes, "yes", false, "do not ask for the environment's name")
	lockTimeout(c, f)
	c.Flags().BoolVar(&purge, "purge", false, "also delete everything in the bucket: releases, tokens, key shares, snapshots")
	return c
}

// worthALine is how long removing must take to be shown: most steps have nothing
// of their own to remove.
const worthALine = 20 * time.Millisecond

func (f *flags) destroy(ctx context.Context, s Streams, name string, yes, purge bool) error {
	start := time.Now()
	ctx, cancel, a, err := f.open(ctx, s, name, "destroy")
	defer cancel()
	if err != nil {
		return err
	}
	if !yes {
		what := "its cluster with all data"
		if purge {
			what += ", and its bucket with all tokens and key shares"
		}
		if err := confirmName(s, a.Name(), "", fmt.Sprintf("this removes %s: %s; type the name to go on: ", a.Name(), what), "--yes"); err != nil {
			return err
		}
	}
	session, err := a.HoldToDestroy(ctx)
	if err != nil {
		return err
	}
	defer session.Close()
	ctx = session.Context()
	progress := f.progress(s, session.StepNames())
	left, err := session.Destroy(ctx, purge, func(e converge.Event) {
		if e.Kind == converge.Done && e.Took < worthALine {
			e.Kind = converge.Unchanged
		}
		progress.Event(e)
	})
	if err != nil {
		return err
	}
	if f.format == "json" {
		return writeJSON(s.Out, map[string]any{"environment": a.Name(), "left": left, "seconds": time.Since(start).Seconds()})
	}
	_, err = fmt.Fprintf(s.Out, "%s: destroyed in %s; %s\n", a.Name(), output.Seconds(time.Since(start)), left)
	return err
}
