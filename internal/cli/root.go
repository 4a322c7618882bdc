// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"clusterup.dev/clusterup/internal/app"
	"clusterup.dev/clusterup/internal/cli/output"
	"clusterup.dev/clusterup/internal/hint"
)

// version is set at link time.
var version = "unversioned" //nolint:gochecknoglobals // the linker can only set a variable

// flags are those that every command takes.
type flags struct {
	format   string
	logLevel string
	noColor  bool
	timeout  time.Duration
	identity string

	addonsDirs []string
	shareOf    []string // HOLDER=FILE, of the same
	holders    []string // more identities, of the commands of key holders

	allowPrune   bool          // of what prunes
	reinitialise bool          // of create
	lockTimeout  time.Duration // of what takes the run lock

	again string       // the command and its arguments, for a run that was stopped
	cause func() error // why the run was stopped, if it was; nil before open
}

func newRoot(s Streams) *cobra.Command {
	f := &flags{}
	root := &cobra.Command{
		Use:           "clusterup",
		Short:         "Make Kubernetes clusters that are ready to use",
		Long:          "clusterup builds a Kubernetes cluster with Terraform, applies its add-ons from an\nimmutable release, and brings up a Consul quorum and an unsealed Vault on it.\nRun it again: it finds what drifted and puts it right.\n\nExit codes: 0 done or nothing to do, 1 error, 2 diff found changes,\n3 degraded, or key holders have to come.",
		SilenceUsage:  true,
		SilenceErrors: true,

		DisableSuggestions:         true, // they would be lines of the error; nearest makes a hint of them
		SuggestionsMinimumDistance: 2,
	}
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	p := root.PersistentFlags()
	p.StringVarP(&f.format, "output", "o", "text", "`format` of the product: text or json")
	p.StringVar(&f.logLevel, "log-level", "info", "how much progress on stderr: error (none), info, or debug (every wait, as a line)")
	p.BoolVar(&f.noColor, "no-color", false, "no colours (also: NO_COLOR is set)")
	p.DurationVar(&f.timeout, "timeout", 0, "give up after this `duration` (default: the environment's timeout)")
	p.StringVar(&f.identity, "identity", "", "`file` with your own age or SSH key (default ~/.config/clusterup/identity.txt)")
	p.StringArrayVar(&f.addonsDirs, "addons-dir", nil, "one more `folder` of add-on folders, whose add-ons replace others of the same name (can be given more than once)")
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if f.format != "text" && f.format != "json" {
			return hint.With(fmt.Errorf("unknown output format %q", f.format), "use -o text or -o json")
		}
		if !slices.Contains([]string{"error", "info", "debug"}, f.logLevel) {
			return hint.With(fmt.Errorf("unknown log level %q", f.logLevel), "use error, info or debug")
		}
		return nil
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return hint.With(err, "see `%s --help`", c.CommandPath())
	})
	root.AddCommand(
		newCreate(s, f), newDiff(s, f), newReconcile(s, f), newStatus(s, f),
		newKubeconfig(s, f), newRender(s, f), newUnlock(s, f), newDestroy(s, f),
		newAddon(s, f), newConsul(s, f), newVault(s, f), newRelease(s, f), newHistory(s, f), newVersion(s, f), newJob(s, f),
	)
	each(root, func(c *cobra.Command) {
		run := c.RunE
		c.RunE = func(c *cobra.Command, args []string) error {
			f.again = strings.Join(append([]string{c.CommandPath()}, args...), " ")
			return f.orStopped(run(c, args))
		}
	})
	return root
}

func newVersion(s Streams, f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if f.format == "json" {
				return writeJSON(s.Out, map[string]string{"version": version})
			}
			_, err := fmt.Fprintln(s.Out, "clusterup "+version)
			return err
		},
	}
}

// environmentArg is the one argument of most commands.
func environmentArg(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return hint.With(fmt.Errorf("%s wants one environment, not %d arguments", c.CommandPath(), len(args)),
			"name one of environments/, as in `%s local`", c.CommandPath())
	}
	return nil
}

// open loads the environment for an operation and sets the run's deadline.
func (f *flags) open(ctx context.Context, s Streams, name, operation string) (context.Context, context.CancelFunc, *app.App, error) {
	a, err := app.Open(app.Options{
		Environment: name, Identity: f.identity, Operation: operation, Version: version, AllowPrune: f.allowPrune, Reinitialise: f.reinitialise, LockTimeout: f.lockTimeout, AddonsDirs: f.addonsDirs, Holders: f.holders,
		Say: func(line string) { fmt.Fprintln(s.Err, "  "+line) },
	})
	if err != nil {
		return ctx, func() {}, nil, err
	}
	timeout := f.timeout
	if timeout == 0 {
		timeout = a.Timeout()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, deadlinePassed(timeout))
	f.cause = func() error {
		if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) { // that is cancel, at its end
			return cause
		}
		return nil
	}
	return ctx, cancel, a, nil
}

// hold opens the environment for an operation that changes it. end gives the run lock
// back, also after an error.
func (f *flags) hold(ctx context.Context, s Streams, name, operation string) (held context.Context, end func(), session *app.Session, err error) {
	ctx, cancel, a, err := f.open(ctx, s, name, operation)
	if err != nil {
		return ctx, cancel, nil, err
	}
	session, err = a.Hold(ctx)
	if err != nil {
		return ctx, cancel, nil, err
	}
	return session.Context(), func() { session.Close(); cancel() }, session, nil
}

// progress writes to stderr as the log level asks.
func (f *flags) progress(s Streams, steps []string) *output.Progress {
	terminal, w := f.terminal(s.Err), s.Err
	switch f.logLevel {
	case "error":
		terminal, w = output.Terminal{}, io.Discard
	case "debug":
		terminal.Live, terminal.All = false, true
	}
	return output.NewProgress(w, terminal, steps)
}

// terminal looks at what a stream is.
func (f *flags) terminal(w io.Writer) output.Terminal {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) || f.format == "json" {
		return output.Terminal{}
	}
	columns, _, err := term.GetSize(int(file.Fd()))
	if err != nil || columns <= 0 {
		columns = 80
	}
	return output.Terminal{Live: true, Color: !f.noColor && os.Getenv("NO_COLOR") == "", Columns: columns}
}
