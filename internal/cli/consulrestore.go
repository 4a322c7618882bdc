// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"clusterup.dev/clusterup/internal/app"
)

func newConsulRestore(s Streams, f *flags) *cobra.Command {
	var r restore
	c := &cobra.Command{
		Use: "restore ENV [SNAPSHOT]", Short: "Bring Consul back to a snapshot (default: the newest that no restore took), and prove it",
		Long: "restore replaces all that Consul holds with what a snapshot holds: keys, services,\nACLs, and with them Vault's data where Vault stores it in Consul. What is there now\nis kept as one more snapshot first. It asks for the environment's name.",
		Args: releaseArgs(0, 1),
		RunE: func(c *cobra.Command, args []string) error {
			r.snapshot = arg(args, 1)
			return f.restoreConsul(c.Context(), s, args[0], r)
		},
	}
	r.flags(c, f, "Consul cannot answer")
	return c
}

func (f *flags) restoreConsul(ctx context.Context, s Streams, name string, r restore) error {
	ctx, end, session, err := f.hold(ctx, s, name, "consul restore")
	defer end()
	if err != nil {
		return err
	}
	prepared, err := session.PrepareRestore(ctx, r.snapshot)
	if err != nil {
		return err
	}
	if err := r.ask(s, session, "Consul", prepared.Snapshot); err != nil {
		return err
	}
	done, err := session.Restore(ctx, prepared, !r.unsafe, f.sayLine(s))
	if err != nil {
		return err
	}
	if f.format == "json" {
		return writeJSON(s.Out, done)
	}
	return sayRestored(s.Out, session.Name(), done)
}

func sayRestored(w io.Writer, name string, done app.Restored) error {
	p := done.Proven
	lines := []string{
		fmt.Sprintf("%s: Consul holds snapshot %s: the key written just before it was read back", name, done.Snapshot.Name),
		fmt.Sprintf("of the snapshot there are %d of %d policies, %d of %d tokens, %d of %d services; %d keys (%s then)",
			p.Policies, len(p.Proof.Policies), p.Tokens, len(p.Proof.Tokens), p.Services, len(p.Proof.Services), p.Keys, between(p.KeysLeast, p.KeysMost)),
	}
	if len(p.Missing) > 0 {
		lines = append(lines, "gone again since: "+strings.Join(p.Missing, ", "))
	}
	lines = append(lines, fmt.Sprintf("tokens that were revoked since the snapshot are valid again: `clusterup reconcile %s` takes away what nobody asks for", name))
	if done.Safety != nil {
		lines = append(lines, fmt.Sprintf("what was there before: clusterup consul restore %s %s", name, done.Safety.Name))
	}
	if done.Vault {
		lines = append(lines,
			"Vault's data was restored with it, and the active Vault may still answer from memory: delete its pod, another one takes over and reads everything",
			"anew, and `clusterup reconcile "+name+"` unseals the one that comes back. What was written to Vault since the snapshot is gone")
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}

func between(least, most int) string {
	if least == most {
		return fmt.Sprint(least)
	}
	return fmt.Sprintf("%d to %d", least, most)
}
