// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"clusterup.dev/clusterup/internal/app"
	"clusterup.dev/clusterup/internal/cli/output"
	"clusterup.dev/clusterup/internal/hint"
)

func newRelease(s Streams, f *flags) *cobra.Command {
	return newGroup("release", "Releases: list, compare, go back to one, collect old ones",
		newReleaseList(s, f), newReleaseShow(s, f), newReleaseDiff(s, f), newReleaseRollback(s, f), newReleaseGC(s, f),
	)
}

// releaseArgs are an environment and from least to most releases.
func releaseArgs(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if n := len(args); n < 1+least || n > 1+most {
			return hint.With(fmt.Errorf("%s does not take %d arguments", c.CommandPath(), n), "see `%s --help`", c.CommandPath())
		}
		return nil
	}
}

func arg(args []string, i int) string {
	if i < len(args) {
		return args[i]
	}
	return ""
}

func newReleaseList(s Streams, f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "list ENV", Short: "List the releases in the bucket, the one that was attempted last first",
		Args: environmentArg,
		RunE: func(c *cobra.Command, args []string) error {
			return f.look(c.Context(), s, args[0], "release list", func(ctx context.Context, session *app.Session) error {
				all, err := session.Releases(ctx)
				if err != nil {
					return err
				}
				if f.format == "json" {
					for i := range all {
						all[i] = withoutInventory(all[i])
					}
					return writeJSON(s.Out, map[string]any{"environment": session.Name(), "releases": all})
				}
				if len(all) == 0 {
					_, err := fmt.Fprintf(s.Out, "%s has no releases yet\n", session.Name())
					return err
				}
				output.Rows(s.Out, releaseRows(all))
				return nil
			})
		},
	}
}

func newReleaseShow(s Streams, f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "show ENV [RELEASE]", Short: "Show what a release consists of (default: the current one)",
		Args: releaseArgs(0, 1),
		RunE: func(c *cobra.Command, args []string) error {
			return f.look(c.Context(), s, args[0], "release show", func(ctx context.Context, session *app.Session) error {
				r, err := session.ReleaseNamed(ctx, cmp.Or(arg(args, 1), "current"))
				if err != nil {
					return err
				}
				if f.format == "json" {
					return writeJSON(s.Out, r)
				}
				showRelease(s.Out, r)
				return nil
			})
		},
	}
}

func newReleaseDiff(s Streams, f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "diff ENV [FROM] [TO]", Short: "Compare two releases (default: the current one, with what create would stage now)",
		Args: releaseArgs(0, 2),
		RunE: func(c *cobra.Command, args []string) error {
			return f.look(c.Context(), s, args[0], "release diff", func(ctx context.Context, session *app.Session) error {
				delta, err := session.Compare(ctx, arg(args, 1), arg(args, 2))
				if err != nil {
					return err
				}
				if f.format == "json" {
					return writeJSON(s.Out, delta)
				}
				showDelta(s.Out, delta)
				return nil
			})
		},
	}
}

func newReleaseRollback(s Streams, f *flags) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use: "rollback ENV RELEASE", Short: "Make an earlier release current and apply it; RELEASE may be \"previous\"",
		Args: releaseArgs(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			return f.converge(c.Context(), s, args[0], run{operation: "release rollback", ask: !yes, prepare: func(ctx context.Context, session *app.Session) error {
				return session.GoBack(ctx, args[1])
			}})
		},
	}
	c.Flags().BoolVar(&yes, "yes", false, "carry the plan out without asking")
	allowPrune(c, f)
	lockTimeout(c, f)
	return c
}
