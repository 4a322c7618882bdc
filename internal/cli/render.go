// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"clusterup.dev/clusterup/internal/app"
	"clusterup.dev/clusterup/internal/hint"
)

func newRender(s Streams, f *flags) *cobra.Command {
	var addon, dir string
	c := &cobra.Command{
		Use: "render ENV", Short: "Render the manifests offline, secrets shown as placeholders",
		Args: environmentArg,
		RunE: func(c *cobra.Command, args []string) error {
			if dir == "text" || dir == "json" {
				return hint.With(fmt.Errorf("--output of render names a folder, not the format %s", dir), "the format is -o %s; a folder of that name is --output ./%s", dir, dir)
			}
			_, cancel, a, err := f.open(c.Context(), s, args[0], "render")
			defer cancel()
			if err != nil {
				return err
			}
			if dir != "" {
				return f.renderTo(s, a, filepath.Clean(dir), addon)
			}
			if f.format == "json" {
				list, err := a.RenderList(addon)
				if err != nil {
					return err
				}
				return writeJSON(s.Out, list)
			}
			manifests, err := a.Render(addon)
			if err != nil {
				return err
			}
			_, err = s.Out.Write(manifests)
			return err
		},
	}
	c.Flags().StringVar(&addon, "addon", "", "only this `add-on`")
	c.Flags().StringVar(&dir, "output", "", "write into this `folder`, a folder for each add-on and a file for each template")
	// --output has another meaning here; -o keeps the one that it has everywhere.
	c.Flags().StringVarP(&f.format, "format", "o", "text", "`format` of the product: text or json")
	return c
}

func (f *flags) renderTo(s Streams, a *app.App, dir, addon string) error {
	files, err := a.RenderTo(dir, addon)
	if err != nil {
		return err
	}
	if f.format == "json" {
		return writeJSON(s.Out, map[string]any{"folder": dir, "files": files})
	}
	for _, file := range files {
		fmt.Fprintln(s.Out, filepath.Join(dir, file))
	}
	return nil
}
