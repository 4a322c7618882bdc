// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"clusterup.dev/clusterup/internal/app"
)

func newUnseal(s Streams, f *flags) *cobra.Command {
	var files []string
	var part, undecided bool
	var earlier int
	c := &cobra.Command{
		Use: "unseal ENV", Short: "Collect a threshold of key shares once and unseal every replica; exit code 3 names who else must come",
		Args: environmentArg,
		RunE: func(c *cobra.Command, args []string) error {
			return f.vault(c, s, args[0], "vault unseal", func(ctx context.Context, session *app.Session, v *app.Vault) error {
				sealed, err := v.Sealed(ctx)
				if err != nil {
					return err
				}
				if len(sealed) == 0 {
					fmt.Fprintln(s.Err, "  nothing to do: no replica that answers is sealed")
					return f.vaultDetail(ctx, s, v)
				}
				fmt.Fprintf(s.Err, "  sealed: %s\n", strings.Join(sealed, ", "))
				begin := v.Hand
				switch {
				case undecided:
					begin = v.UndecidedHand
				case earlier != 0:
					begin = func(ctx context.Context) (*app.Hand, error) { return v.EarlierHand(ctx, earlier) }
				}
				hand, err := f.gather(ctx, s, begin, files)
				if err != nil {
					return err
				}
				defer hand.Wipe()
				if part {
					return f.contribute(ctx, s, v, hand)
				}
				if err := v.Unseal(ctx, hand); err != nil {
					return err
				}
				return f.vaultDetail(ctx, s, v)
			})
		},
	}
	shareFlags(c, f, &files)
	c.Flags().BoolVar(&part, "part", false, "give what shares there are to every sealed replica, for other holders to go on from elsewhere")
	c.Flags().BoolVar(&undecided, "new-shares", false, "use the new shares of a rekey that was cut off")
	c.Flags().IntVar(&earlier, "earlier-shares", 0, "use the shares of so many `deals` ago (1, of before the last rekey, unless said), for a storage that was brought back from a snapshot")
	c.Flags().Lookup("earlier-shares").NoOptDefVal = "1"
	c.MarkFlagsMutuallyExclusive("new-shares", "earlier-shares")
	return c
}

// contribute gives a part of the shares. What is still missing is exit code 3.
func (f *flags) contribute(ctx context.Context, s Streams, v *app.Vault, hand *app.Hand) error {
	missing, err := v.Contribute(ctx, hand)
	if err != nil || missing == 0 {
		if err == nil {
			return f.vaultDetail(ctx, s, v)
		}
		return err
	}
	fmt.Fprintf(s.Err, "  every sealed replica has what you gave, and keeps it until it is restarted; %d more\n", missing)
	if err := f.vaultDetail(ctx, s, v); err != nil {
		var code exitCode
		if !errors.As(err, &code) {
			return err
		}
	}
	if err := hand.Enough(); err != nil {
		fmt.Fprintf(s.Err, "  who can go on: %v\n", err)
	}
	return exitCode(ExitDegraded)
}
