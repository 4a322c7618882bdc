// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"clusterup.dev/clusterup/internal/app"
	"clusterup.dev/clusterup/internal/cli/output"
)

func newRekey(s Streams, f *flags) *cobra.Command {
	var files []string
	var yes, cancelOther bool
	c := &cobra.Command{
		Use: "rekey ENV", Short: "Deal new key shares to the holders that the environment names now, with a threshold of the old ones",
		Args: environmentArg,
		RunE: func(c *cobra.Command, args []string) error {
			ctx, end, session, err := f.hold(c.Context(), s, args[0], "vault rekey")
			defer end()
			if err != nil {
				return err
			}
			v, err := session.Vault()
			if err != nil {
				return err
			}
			keys, err := v.Keys(ctx)
			if err != nil {
				return err
			}
			fmt.Fprintf(s.Err, "  now %s\n  new key shares: %s\n", keysSummary(keys), v.Deal())
			if !yes {
				if err := confirm(s, "deal new key shares? The old ones will not open Vault any more", "changed"); err != nil {
					return err
				}
			}
			hand, err := f.gather(ctx, s, v.Hand, files)
			if err != nil {
				return err
			}
			defer hand.Wipe()
			return session.Recorded(ctx, func(ctx context.Context) error { return f.rekey(ctx, s, v, hand, cancelOther) })
		},
	}
	shareFlags(c, f, &files)
	lockTimeout(c, f)
	c.Flags().BoolVar(&yes, "yes", false, "do it without asking")
	c.Flags().BoolVar(&cancelOther, "cancel-other", false, "end a rekey that somebody else began, and begin anew")
	return c
}

func (f *flags) rekey(ctx context.Context, s Streams, v *app.Vault, hand *app.Hand, cancelOther bool) error {
	done, err := v.Rekey(ctx, hand, cancelOther)
	if err != nil {
		return err
	}
	if done {
		fmt.Fprintln(s.Err, "  a rekey that was cut off had taken effect: these are its shares, and no others were dealt")
	}
	keys, err := v.Keys(ctx)
	if err != nil {
		return err
	}
	if f.format == "json" {
		return writeJSON(s.Out, keys)
	}
	fmt.Fprintln(s.Out, keysSummary(keys))
	next := "every holder: clusterup vault verify-share ENV"
	if keys.PGP {
		next = "every holder: gpg -d FILE, which shows that it opens; it is confirmed when it is used"
	}
	output.Rows(s.Out, [][]string{{"next", next}, {"then", "clusterup reconcile ENV, which also sends the shares if there is a delivery"}})
	return nil
}
