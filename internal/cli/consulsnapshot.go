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
	"clusterup.dev/clusterup/internal/cli/output"
)

func newConsulSnapshot(s Streams, f *flags) *cobra.Command {
	return newSnapshot(s, f, snapshots{of: "Consul", list: (*app.Session).Snapshots, take: (*app.Session).TakeSnapshot})
}

// snapshots are those of one service.
type snapshots struct {
	of   string
	list func(*app.Session, context.Context) ([]app.SnapshotEntry, error)
	take func(*app.Session, context.Context) (app.Snapshot, error)
}

func newSnapshot(s Streams, f *flags, of snapshots) *cobra.Command {
	var list bool
	c := &cobra.Command{
		Use: "snapshot ENV", Short: "Take a snapshot of " + of.of + " now, sealed to the operators; --list shows all of them",
		Args: environmentArg,
		RunE: func(c *cobra.Command, args []string) error {
			return f.look(c.Context(), s, args[0], strings.ToLower(of.of)+" snapshot", func(ctx context.Context, session *app.Session) error {
				if list {
					return f.listSnapshots(ctx, s, session, of)
				}
				shot, err := of.take(session, ctx)
				if err != nil {
					return err
				}
				if f.format == "json" {
					return writeJSON(s.Out, shot)
				}
				_, err = fmt.Fprintf(s.Out, "%s: snapshot %s of index %d, %s sealed, verified, SHA-256 %s\n", session.Name(), shot.Name, shot.Index, size(shot.Size), shot.SHA256)
				return err
			})
		},
	}
	c.Flags().BoolVar(&list, "list", false, "list the snapshots that are in the bucket, the newest first, and take none")
	return c
}

func (f *flags) listSnapshots(ctx context.Context, s Streams, session *app.Session, of snapshots) error {
	all, err := of.list(session, ctx)
	if err != nil {
		return err
	}
	if f.format == "json" {
		return writeJSON(s.Out, map[string]any{"environment": session.Name(), "snapshots": all})
	}
	if len(all) == 0 {
		_, err := fmt.Fprintf(s.Out, "%s has no snapshots of %s yet\n", session.Name(), of.of)
		return err
	}
	rows := [][]string{}
	for _, e := range all {
		state := "verified"
		if !e.Verified {
			state = "never verified: whoever took it was cut off"
		}
		rows = append(rows, []string{e.Name, app.Ago(time.Since(e.Taken)) + " ago", size(e.Size), state})
	}
	output.Rows(s.Out, rows)
	return nil
}

// size is a number of bytes as people read it.
func size(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

// newJob holds what runs in pods, for no one to type.
func newJob(s Streams, f *flags) *cobra.Command {
	var settings string
	snapshot := &cobra.Command{
		Use: "consul-snapshot", Short: "Take a snapshot of Consul from inside the cluster",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.snapshotJob(c.Context(), s.Out, settings)
		},
	}
	snapshot.Flags().StringVar(&settings, "settings", "/etc/clusterup/settings.json", "`file` with what the add-on says")
	snapshot.Hidden = true
	c := newGroup("job", "What runs in pods", snapshot, newCertificateJob(s))
	c.Hidden = true
	return c
}

func (f *flags) snapshotJob(ctx context.Context, w io.Writer, settings string) error {
	shot, deleted, err := app.SnapshotJob(ctx, settings)
	if shot.Verified.IsZero() {
		return err
	}
	if _, werr := fmt.Fprintf(w, "snapshot %s of index %d, %s sealed, verified\n", shot.Name, shot.Index, size(shot.Size)); werr != nil {
		return werr
	}
	for _, name := range deleted {
		if _, werr := fmt.Fprintf(w, "deleted %s\n", name); werr != nil {
			return werr
		}
	}
	return err
}
