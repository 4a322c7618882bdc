// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"clusterup.dev/clusterup/internal/app"
)

// restore is what is said of every restore, of Consul and of Vault.
type restore struct {
	snapshot, confirm string
	unsafe            bool // keeps nothing of what is there
}

// flags declares what every restore takes; when says where nothing can be kept.
func (r *restore) flags(c *cobra.Command, f *flags, when string) {
	c.Flags().StringVar(&r.confirm, "confirm", "", "the environment's `name`, in place of the question")
	c.Flags().BoolVar(&r.unsafe, "no-safety-snapshot", false, "do not keep what is there now, as when "+when)
	lockTimeout(c, f)
}

// ask has the environment's name typed, or given, before all is replaced.
func (r restore) ask(s Streams, session *app.Session, of string, shot app.Snapshot) error {
	question := fmt.Sprintf("this replaces all that the %s of %s holds by snapshot %s, taken %s ago; type the environment's name to go on: ",
		of, session.Name(), shot.Name, app.Ago(time.Since(shot.Taken)))
	return confirmName(s, session.Name(), r.confirm, question, "--confirm "+session.Name())
}

// sayLine tells what a command that is no run is doing.
func (f *flags) sayLine(s Streams) func(string) {
	return func(line string) {
		if f.format == "text" && f.logLevel != "error" {
			fmt.Fprintln(s.Err, "  "+line)
		}
	}
}
