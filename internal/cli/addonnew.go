// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"clusterup.dev/clusterup/internal/app"
	"clusterup.dev/clusterup/internal/hint"
)

func newAddonNew(s Streams, f *flags) *cobra.Command {
	var dir string
	var replace bool
	c := &cobra.Command{
		Use: "new NAME", Short: "Write the folder of a new add-on, which works as it is",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return hint.With(fmt.Errorf("%s wants one name, not %d arguments", c.CommandPath(), len(args)), "as in `%s shop`", c.CommandPath())
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			made, err := app.MakeAddon(args[0], dir, replace)
			if err != nil {
				return err
			}
			if f.format == "json" {
				return writeJSON(s.Out, made)
			}
			fmt.Fprintf(s.Out, "made %s:\n", made.Folder)
			for _, file := range made.Files {
				fmt.Fprintf(s.Out, "  %s\n", file)
			}
			if made.Replaces != "" {
				fmt.Fprintf(s.Out, "it takes the place of the add-on %s of %s\n", made.Name, made.Replaces)
			}
			more := ""
			if where := filepath.Clean(dir); dir != "" && where != "addons" {
				more = " --addons-dir " + where
			}
			fmt.Fprintf(s.Out, "next:\n  clusterup addon lint %s   # after every change; --update writes golden.yaml\n", made.Folder)
			fmt.Fprintf(s.Out, "  add {name: %s} to spec.addons of environments/ENV.yaml\n  (its image, clusterup.dev/echo, is only on nodes of local environments: elsewhere, name yours in addon.yaml)\n  clusterup diff ENV%s, then clusterup reconcile ENV%s\n", made.Name, more, more)
			return nil
		},
	}
	c.Flags().BoolVar(&replace, "replace", false, "also if there is an add-on of this name elsewhere, such as a built-in one: take its place")
	c.Flags().StringVar(&dir, "dir", "", "the `folder` to write it into (default: addons)")
	return c
}
