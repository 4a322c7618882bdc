// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"clusterup.dev/clusterup/internal/hint"
)

// newGroup is a command that only holds others.
func newGroup(use, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			err := fmt.Errorf("unknown command %q for %q", args[0], c.CommandPath())
			for _, meant := range c.SuggestionsFor(args[0]) {
				return hint.With(err, "did you mean %s?", meant)
			}
			return hint.With(err, "see `%s --help`", c.CommandPath())
		},
		DisableSuggestions: true, SuggestionsMinimumDistance: 2,
	}
	c.AddCommand(commands...)
	return c
}

// each calls do for every command below c.
func each(c *cobra.Command, do func(*cobra.Command)) {
	for _, below := range c.Commands() {
		do(below)
		each(below, do)
	}
}
