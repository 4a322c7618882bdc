// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"clusterup.dev/clusterup/internal/app"
	"clusterup.dev/clusterup/internal/cli/output"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

func newVault(s Streams, f *flags) *cobra.Command {
	return newGroup("vault", "What key holders do: look, confirm a share, unseal, make a root token, rekey; and snapshots on raft",
		newVaultStatus(s, f), newVaultKeys(s, f), newVerifyShare(s, f), newUnseal(s, f), newGenerateRoot(s, f), newRekey(s, f),
		newVaultSnapshot(s, f), newVaultRestore(s, f),
	)
}

// vault opens the environment's Vault to look at it. Nothing here takes the run
// lock: a run that hangs must not keep a Vault sealed, and what is written is create-only.
func (f *flags) vault(c *cobra.Command, s Streams, name, operation string, do func(context.Context, *app.Session, *app.Vault) error) error {
	return f.look(c.Context(), s, name, operation, func(ctx context.Context, session *app.Session) error {
		v, err := session.Vault()
		if err != nil {
			return err
		}
		err = do(ctx, session, v)
		if errors.Is(err, converge.ErrNotYet) {
			return hint.With(err, "`clusterup create %s` makes it", session.Name())
		}
		return err
	})
}

func newVaultStatus(s Streams, f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "status ENV", Short: "Each pod's state, seal and storage, and the holders; exit code 3 unless one is active and all others stand by",
		Args: environmentArg,
		RunE: func(c *cobra.Command, args []string) error {
			return f.vault(c, s, args[0], "vault status", func(ctx context.Context, _ *app.Session, v *app.Vault) error {
				return f.vaultDetail(ctx, s, v)
			})
		},
	}
}

// vaultDetail writes what the pods say, and ends with exit code 3 when Vault is
// not what it should be.
func (f *flags) vaultDetail(ctx context.Context, s Streams, v *app.Vault) error {
	detail, err := v.Detail(ctx)
	if err != nil {
		return err
	}
	if f.format == "json" {
		if err := writeJSON(s.Out, detail); err != nil {
			return err
		}
	} else {
		showDetail(s.Out, detail)
	}
	if !detail.Healthy {
		return exitCode(ExitDegraded)
	}
	return nil
}

func showDetail(w io.Writer, d app.VaultDetail) {
	rows := [][]string{{"POD", "STATE", "VERSION", "STORAGE", "SEAL", ""}}
	for _, p := range d.Pods {
		note := p.Cause
		if p.Given > 0 {
			note = fmt.Sprintf("given %d of the %d key shares that open it", p.Given, p.Threshold)
		}
		rows = append(rows, []string{p.Name, string(p.State), orDash(p.Version), orDash(p.Storage), orDash(p.Seal), note})
	}
	output.Rows(w, rows)
	if d.Keys == nil {
		fmt.Fprintln(w, "no key shares are dealt yet")
		return
	}
	fmt.Fprintln(w, keysSummary(*d.Keys))
}

// keysSummary says in one line who holds the shares.
func keysSummary(k app.VaultKeys) string {
	held := []string{}
	for i, n := 0, 0; i < len(k.Shares); i += n {
		for n = 1; i+n < len(k.Shares) && k.Shares[i+n].Holder == k.Shares[i].Holder; n++ {
		}
		held = append(held, fmt.Sprintf("%s %d", k.Shares[i].Holder, n))
	}
	what, power := "key shares", "unseal"
	if k.Recovery {
		what, power = "recovery keys", "make a root token"
	}
	confirmed, holders := k.Confirmed()
	return fmt.Sprintf("%s: %s; %d of %d %s; %d of %d holders have confirmed", what, strings.Join(held, ", "), k.Threshold, len(k.Shares), power, len(confirmed), holders)
}

func newVaultKeys(s Streams, f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "keys ENV", Short: "List who holds which key share, whether they confirmed it, and where it was sent; no share is shown",
		Args: environmentArg,
		RunE: func(c *cobra.Command, args []string) error {
			return f.vault(c, s, args[0], "vault keys", func(ctx context.Context, _ *app.Session, v *app.Vault) error {
				keys, err := v.Keys(ctx)
				if err != nil {
					return err
				}
				if f.format == "json" {
					return writeJSON(s.Out, keys)
				}
				showKeys(s.Out, keys)
				return nil
			})
		},
	}
}

func showKeys(w io.Writer, k app.VaultKeys) {
	rows := [][]string{{"HOLDER", "SHARE", "SEALED TO", "CONFIRMED", "SENT", ""}}
	without := false
	for _, share := range k.Shares {
		sent := []string{}
		for _, d := range share.Delivered {
			sent = append(sent, d.Way+" "+d.To)
		}
		note := share.Problem
		if share.Missing {
			note = "it is not in the bucket"
		}
		without = without || !share.Receipt
		confirmed := cmp.Or(moment(share.Confirmed), "no")
		if share.Act != "" {
			confirmed += " by " + share.Act
		}
		rows = append(rows, []string{share.Holder, share.Object, share.Fingerprint, confirmed, orDash(strings.Join(sent, ", ")), note})
	}
	output.Rows(w, rows)
	fmt.Fprintln(w, keysSummary(k))
	if k.Provisional {
		fmt.Fprintln(w, "this is a throwaway share: the holders with PGP keys have none yet, and `clusterup create` goes on")
	}
	if without && !k.PGP {
		fmt.Fprintln(w, "shares without a receipt were dealt by an older version: they cannot be confirmed, and open Vault all the same")
	}
	if len(k.OtherKeys) > 0 {
		fmt.Fprintf(w, "sealed to another key than the environment's file has now: %s\n", strings.Join(k.OtherKeys, ", "))
	}
}

// moment is a time for the reader, "" for none.
func moment(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Local().Format(timeForm)
}

func newVerifyShare(s Streams, f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "verify-share ENV", Short: "Open your own key shares, check that they are what was dealt, and record that you could",
		Args: environmentArg,
		RunE: func(c *cobra.Command, args []string) error {
			return f.vault(c, s, args[0], "vault verify-share", func(ctx context.Context, _ *app.Session, v *app.Vault) error {
				verified, err := v.VerifyShares(ctx)
				if f.format == "json" && len(verified) > 0 {
					if writeErr := writeJSON(s.Out, map[string]any{"verified": verified}); writeErr != nil {
						return writeErr
					}
					return err
				}
				for _, one := range verified {
					fmt.Fprintf(s.Out, "share %d of %s %s\n", one.N, one.Holder, verdict(one))
				}
				return err
			})
		},
	}
}

func verdict(v app.Verified) string {
	switch {
	case v.Confirmed.IsZero():
		return "opens; there is no receipt to check it by, because an older version dealt it"
	case v.Before:
		return "opens and is what was dealt; confirmed on " + moment(v.Confirmed)
	}
	return "opens and is what was dealt; that is recorded now"
}
