// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"clusterup.dev/clusterup/internal/app"
	"clusterup.dev/clusterup/internal/hint"
)

// How long the root token may live at the most.
const (
	rootTTL  = time.Hour
	shortest = time.Minute
	longest  = 12 * time.Hour
)

func newGenerateRoot(s Streams, f *flags) *cobra.Command {
	var files []string
	how := app.Emergency{}
	c := &cobra.Command{
		Use:   "generate-root ENV [-- COMMAND [ARG...]]",
		Short: "Run a command (default: your shell) with a root token made out of a threshold of key shares, and revoke it",
		Args: func(c *cobra.Command, args []string) error {
			if dash := c.ArgsLenAtDash(); dash >= 0 {
				args = args[:dash]
			}
			return environmentArg(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			if how.TTL < shortest || how.TTL > longest {
				return hint.With(fmt.Errorf("a root token for %s is not made", how.TTL), "give --ttl from %s to %s", shortest, longest)
			}
			command, err := commandOrShell(s, args[1:])
			if err != nil {
				return err
			}
			if f.timeout == 0 {
				f.timeout = how.TTL // the environment's own is for runs, not for people at a prompt
			}
			return f.vault(c, s, args[0], "vault generate-root", func(ctx context.Context, session *app.Session, v *app.Vault) error {
				hand, err := f.gather(ctx, s, v.Hand, files)
				if err != nil {
					return err
				}
				defer hand.Wipe()
				return session.Recorded(ctx, func(ctx context.Context) error {
					err := v.WithRoot(ctx, hand, how, func(ctx context.Context, root app.RootToken) error {
						return runWith(ctx, s, root, command)
					})
					var ended *exec.ExitError
					if err == nil || errors.As(err, &ended) {
						fmt.Fprintln(s.Err, "  the root token is revoked: Vault refuses it")
					}
					return err
				})
			})
		},
	}
	shareFlags(c, f, &files)
	c.Flags().BoolVar(&how.CancelOther, "cancel-other", false, "end somebody else's attempt to generate a root token, and begin anew")
	c.Flags().DurationVar(&how.TTL, "ttl", rootTTL, "let the token end by itself after this `duration`, even if nobody can revoke it")
	return c
}

// commandOrShell is what was typed after --, or, on a terminal, the reader's shell.
func commandOrShell(s Streams, command []string) ([]string, error) {
	if len(command) > 0 {
		return command, nil
	}
	shell := os.Getenv("SHELL")
	if shell == "" || s.In == nil || !term.IsTerminal(int(s.In.Fd())) {
		return nil, hint.With(errors.New("there is no command to run with the root token"), "clusterup vault generate-root ENV -- COMMAND")
	}
	return []string{shell}, nil
}

// graceful is how long a command gets to end when the run is stopped.
const graceful = 5 * time.Second

// runWith runs a command that has the token in its environment, and nowhere else.
func runWith(ctx context.Context, s Streams, root app.RootToken, command []string) (err error) {
	dir, err := os.MkdirTemp("", "clusterup-")
	if err != nil {
		return fmt.Errorf("preparing the command: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ca := filepath.Join(dir, "ca.crt")
	if err := os.WriteFile(ca, root.CA, 0o600); err != nil {
		return fmt.Errorf("preparing the command: %w", err)
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "VAULT_ADDR="+root.Address, "VAULT_CACERT="+ca, "VAULT_TLS_SERVER_NAME="+root.ServerName,
		"VAULT_TOKEN="+root.Token.RevealString())
	cmd.Stdout, cmd.Stderr = s.Out, s.Err
	if s.In != nil {
		cmd.Stdin = s.In
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGHUP) } // a shell heeds no SIGTERM
	cmd.WaitDelay = graceful
	fmt.Fprintf(s.Err, "  running %s with a root token; it is revoked when that ends\n", command[0])
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the command %s: %w", command[0], err)
	}
	return nil
}
