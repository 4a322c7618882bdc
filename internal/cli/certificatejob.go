// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"clusterup.dev/clusterup/internal/app"
)

// newCertificateJob keeps a certificate for as long as its pod lives: no deadline is
// set from outside, each look has its own.
func newCertificateJob(s Streams) *cobra.Command {
	var settings string
	c := &cobra.Command{
		Use: "certificate", Short: "Keep a certificate in a Secret, issued by Vault, from inside the cluster",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return app.CertificateJob(c.Context(), settings, func(line string) { fmt.Fprintln(s.Out, line) })
		},
	}
	c.Flags().StringVar(&settings, "settings", "/etc/clusterup/settings.json", "`file` with what the add-on says")
	c.Hidden = true
	return c
}
