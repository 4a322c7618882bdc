// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"clusterup.dev/clusterup/internal/app"
)

func newVaultSnapshot(s Streams, f *flags) *cobra.Command {
	return newSnapshot(s, f, snapshots{of: "Vault", list: (*app.Session).VaultSnapshots, take: (*app.Session).TakeVaultSnapshot})
}

// restoreTTL is how long the root token may live: as long as the bytes and the wait may take.
const restoreTTL = 15 * time.Minute

func newVaultRestore(s Streams, f *flags) *cobra.Command {
	var r restore
	var files []string
	how := app.Emergency{TTL: restoreTTL}
	c := &cobra.Command{
		Use: "restore ENV [SNAPSHOT]", Short: "Bring a Vault on raft back to a snapshot (default: the newest that no restore took), and prove it",
		Long: "restore replaces all that Vault holds with what a snapshot holds. It takes a threshold\nof today's key shares; from then on those of the snapshot's day count. What is there now\nis kept as one more snapshot first. It asks for the environment's name.\nInto a Vault that has lost its storage it puts the snapshot with a threshold of the\nshares of its day.",
		Args: releaseArgs(0, 1),
		RunE: func(c *cobra.Command, args []string) error {
			r.snapshot = arg(args, 1)
			if f.timeout == 0 {
				f.timeout = rootTTL // the environment's own is for runs, not for people at a prompt
			}
			return f.restoreVault(c.Context(), s, args[0], r, how, files)
		},
	}
	shareFlags(c, f, &files)
	c.Flags().BoolVar(&how.CancelOther, "cancel-other", false, "end somebody else's attempt to generate a root token, and begin anew")
	r.flags(c, f, "Vault cannot give it")
	return c
}

func (f *flags) restoreVault(ctx context.Context, s Streams, name string, r restore, how app.Emergency, files []string) error {
	ctx, end, session, err := f.hold(ctx, s, name, "vault restore")
	defer end()
	if err != nil {
		return err
	}
	prepared, err := session.PrepareVaultRestore(ctx, r.snapshot)
	if err != nil {
		return err
	}
	if err := r.ask(s, session, "Vault", prepared.Snapshot); err != nil {
		return err
	}
	hand, err := f.gather(ctx, s, prepared.Hand, files)
	if err != nil {
		return err
	}
	defer hand.Wipe()
	done, err := session.RestoreVault(ctx, prepared, hand, how, !r.unsafe, f.sayLine(s))
	if err != nil {
		return err
	}
	if f.format == "json" {
		return writeJSON(s.Out, done)
	}
	return sayVaultRestored(s.Out, session.Name(), done)
}

func sayVaultRestored(w io.Writer, name string, done app.VaultRestored) error {
	p := done.Proven
	lines := []string{
		fmt.Sprintf("%s: Vault holds snapshot %s: the mark written just before it was read back", name, done.Snapshot.Name),
		fmt.Sprintf("all secrets engines and auth methods of the snapshot are there: %d and %d", len(p.Engines), len(p.Methods)),
	}
	if len(p.Missing) > 0 {
		lines[1] = "gone again since: " + strings.Join(p.Missing, ", ")
	}
	lines = append(lines, keysSummary(done.Keys), "what was written to Vault since the snapshot is gone, and what was revoked since may be valid again")
	if done.Safety != nil {
		lines = append(lines, fmt.Sprintf("what was there before: clusterup vault restore %s %s", name, done.Safety.Name))
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}
