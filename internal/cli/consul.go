// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"clusterup.dev/clusterup/internal/app"
	"clusterup.dev/clusterup/internal/cli/output"
)

func newConsul(s Streams, f *flags) *cobra.Command {
	return newGroup("consul", "The environment's Consul: look at it, keep it, bring it back, make its secrets anew",
		newConsulStatus(s, f), newConsulSnapshot(s, f), newConsulRestore(s, f), newConsulRotate(s, f),
	)
}

func newConsulStatus(s Streams, f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "status ENV", Short: "Leader, votes, each server and its pod; exit code 3 when degraded",
		Args: environmentArg,
		RunE: func(c *cobra.Command, args []string) error {
			return f.look(c.Context(), s, args[0], "consul status", func(ctx context.Context, session *app.Session) error {
				report, err := session.ConsulStatus(ctx)
				if err != nil {
					return err
				}
				if f.format == "json" {
					err = writeJSON(s.Out, struct {
						Environment string `json:"environment"`
						Well        bool   `json:"well"`
						app.ConsulReport
					}{session.Name(), report.Well(), report})
				} else {
					showConsul(s.Out, report)
				}
				if err == nil && !report.Well() {
					err = exitCode(ExitDegraded)
				}
				return err
			})
		},
	}
}

// showConsul writes the quorum, a line for each server, and what is not well.
func showConsul(w io.Writer, r app.ConsulReport) {
	output.Rows(w, [][]string{
		{"leader", orDash(r.Leader)},
		{"voters", fmt.Sprintf("%d of %d, %d may fail", r.Voters, r.Wanted, r.FailureTolerance)},
		{"commit index", fmt.Sprint(r.CommitIndex)},
		{"certificate", "of the servers ends " + dayOf(r.Certificate)},
		{"gossip keys", keyring(r.Keyring)},
	})
	fmt.Fprintln(w)
	rows := [][]string{{"SERVER", "ROLE", "GOSSIP", "ADDRESS", "VERSION", "HEALTHY SINCE", "INDEX", "NODE", "REVISION"}}
	for _, s := range r.Reports {
		since := "-"
		if s.Healthy {
			since = s.StableSince.Local().Format(timeForm)
		}
		rows = append(rows, []string{
			s.Name, orDash(s.Role), orDash(s.Gossip), orDash(s.Address), orDash(s.Version), since,
			fmt.Sprintf("%d of %d", s.LogIndex, max(r.CommitIndex, s.LogIndex)), orDash(s.Node), s.Revision,
		})
	}
	output.Rows(w, rows)
	for _, line := range consulIlls(r) {
		fmt.Fprintln(w, "  "+line)
	}
}

// consulIlls says of each server that is not well what is wrong, and since when.
func consulIlls(r app.ConsulReport) []string {
	lines := []string{}
	if r.Cause != "" {
		lines = append(lines, "no leader answers: "+r.Cause)
	}
	for _, s := range r.Reports {
		said := []string{}
		if s.Error != "" {
			said = append(said, "does not answer: "+s.Error)
		}
		if s.Role != "" && !s.Healthy {
			said = append(said, "is not healthy, says the leader")
		}
		if s.Reason != "" {
			said = append(said, "its pod: "+s.Reason)
		}
		if len(said) == 0 {
			continue
		}
		since := ""
		if !s.Since.IsZero() {
			since = " (since " + s.Since.Local().Format(timeForm) + ")"
		}
		lines = append(lines, s.Name+since+" "+strings.Join(said, "; "))
	}
	return append(lines, r.Notices...)
}

func keyring(k app.ConsulKeyring) string {
	text := fmt.Sprint(k.Keys)
	if k.Partial > 0 {
		text += fmt.Sprintf(", %d of them not on every member: a rotation has not ended", k.Partial)
	}
	return cmp.Or(k.Error, text)
}

func dayOf(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.DateOnly)
}
