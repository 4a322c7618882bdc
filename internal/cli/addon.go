// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"clusterup.dev/clusterup/internal/app"
	"clusterup.dev/clusterup/internal/cli/output"
	"clusterup.dev/clusterup/internal/hint"
)

func newAddon(s Streams, f *flags) *cobra.Command {
	return newGroup("addon", "Add-on folders: list, make and check them",
		newAddonList(s, f), newAddonNew(s, f), newAddonLint(s, f),
	)
}

func newAddonList(s Streams, f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "list [ENV]", Short: "List the add-ons that there are, and which of them ENV uses",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return hint.With(fmt.Errorf("%s wants at most one environment, not %d arguments", c.CommandPath(), len(args)), "see `%s --help`", c.CommandPath())
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			env := ""
			if len(args) == 1 {
				env = args[0]
			}
			rows, err := app.ListAddons(env, f.addonsDirs)
			if rows == nil {
				return err
			}
			if f.format == "json" {
				return errors.Join(writeJSON(s.Out, map[string]any{"addons": rows}), err)
			}
			output.Rows(s.Out, app.AddonTable(rows))
			return err
		},
	}
}
