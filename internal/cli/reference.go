// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Reference is the command line as Markdown, for docs/reference.
func Reference() []byte {
	var b bytes.Buffer
	root := newRoot(Streams{})
	b.WriteString("# Commands\n\nGenerated from the code; `make generate` writes it.\n\n")
	fmt.Fprintf(&b, "%s\n\nEvery command takes:\n\n```\n%s```\n", root.Long, root.PersistentFlags().FlagUsages())
	each(root, func(c *cobra.Command) {
		if !c.Hidden && !c.HasSubCommands() && c.Name() != "help" && c.Name() != "completion" && c.Parent().Name() != "completion" {
			section(&b, c)
		}
	})
	return b.Bytes()
}

func section(b *bytes.Buffer, c *cobra.Command) {
	fmt.Fprintf(b, "\n## %s\n\n%s.\n", strings.TrimSuffix(c.UseLine(), " [flags]"), c.Short)
	if usage := c.LocalNonPersistentFlags().FlagUsages(); usage != "" {
		fmt.Fprintf(b, "\n```\n%s```\n", usage)
	}
}
