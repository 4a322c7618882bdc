// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"clusterup.dev/clusterup/internal/app"
)

func newConsulRotate(s Streams, f *flags) *cobra.Command {
	c := newGroup("rotate", "Make a secret of Consul anew and bring it to where it is used; run again, it goes on",
		newRotation(s, f, app.RotateGossip, "The key that members encrypt gossip with; nothing restarts"),
		newRotation(s, f, app.RotateCerts, "The servers' certificates; servers restart one at a time"),
		newRotation(s, f, app.RotateCA, "Consul's CA, trusted beside the old one meanwhile, and its certificates; servers restart three times, one at a time"),
		newRotation(s, f, app.RotateToken, "The management token; nothing restarts"),
	)
	return c
}

func newRotation(s Streams, f *flags, r app.Rotation, short string) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use: string(r) + " ENV", Short: short, Args: environmentArg,
		RunE: func(c *cobra.Command, args []string) error {
			if !yes {
				question := fmt.Sprintf("rotate %s of Consul in %s, and carry out whatever else `clusterup diff %s` shows?", r, args[0], args[0])
				if err := confirm(s, question, "changed"); err != nil {
					return err
				}
			}
			return f.rotate(c.Context(), s, args[0], r)
		},
	}
	c.Flags().BoolVar(&yes, "yes", false, "rotate without asking")
	lockTimeout(c, f)
	return c
}

// rotate takes turns, each an ordinary run with more of the rotation prepared.
func (f *flags) rotate(ctx context.Context, s Streams, name string, r app.Rotation) error {
	for first, more := true, true; more; first = false {
		err := f.converge(ctx, s, name, run{
			operation: "consul rotate " + string(r),
			prepare: func(ctx context.Context, session *app.Session) (err error) {
				var what string
				if what, more, err = session.NextTurn(ctx, r, first); err == nil && what != "" {
					fmt.Fprintf(s.Err, "  %s\n", what)
				}
				return err
			},
		})
		if err != nil {
			return err
		}
	}
	return nil
}
