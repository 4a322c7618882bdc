// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"clusterup.dev/clusterup/internal/app"
	"clusterup.dev/clusterup/internal/cli/output"
	"clusterup.dev/clusterup/internal/hint"
)

// timeForm is how moments are told, in the reader's own time.
const timeForm = "2006-01-02 15:04:05"

func newHistory(s Streams, f *flags) *cobra.Command {
	var last int
	c := &cobra.Command{
		Use: "history ENV", Short: "Tell who changed the environment, when and how it ended, newest first",
		Args: environmentArg,
		RunE: func(c *cobra.Command, args []string) error {
			if last < 0 {
				return hint.With(fmt.Errorf("%d is no number of runs", last), "give --last 20, or --last 0 for all")
			}
			return f.look(c.Context(), s, args[0], "history", func(ctx context.Context, session *app.Session) error {
				return f.history(ctx, s, session, last)
			})
		},
	}
	c.Flags().IntVar(&last, "last", 20, "this `number` of runs; 0 for all")
	return c
}

func (f *flags) history(ctx context.Context, s Streams, session *app.Session, last int) error {
	runs, all, err := session.History(ctx, last)
	if err != nil {
		return err
	}
	if f.format == "json" {
		return writeJSON(s.Out, map[string]any{"environment": session.Name(), "runs": append([]app.Ran{}, runs...), "all": all})
	}
	if all == 0 {
		_, err := fmt.Fprintf(s.Out, "%s: nobody has changed it yet\n", session.Name())
		return err
	}
	rows := [][]string{{"WHEN", "WHO", "OPERATION", "RELEASE", "OUTCOME", "TOOK", ""}}
	for _, r := range runs {
		took := ""
		if r.Seconds > 0 {
			took = output.Seconds(time.Duration(r.Seconds * float64(time.Second)))
		}
		rows = append(rows, []string{r.At.Local().Format(timeForm), r.Who, r.Operation, orDash(app.Short(r.Release)), r.Outcome, orDash(took), r.Error})
	}
	output.Rows(s.Out, rows)
	if older := all - len(runs); older > 0 {
		fmt.Fprintf(s.Out, "  and %d older: --last 0 tells all\n", older)
	}
	return nil
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
