// SPDX-License-Identifier: Apache-2.0

// Command echo is the application of samples and tests in a local environment:
// a server that answers with what it was asked and by which pod, an admission
// webhook, and a job that ends at once. It reads nothing but its flags, the
// variables that they name and, for HTTPS, a certificate, so it runs as any user on
// a read-only root.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

const usage = `usage:
  echo serve [flags]   serve HTTP, and HTTPS with --cert and --key (echo serve --help)
  echo once TEXT...    print TEXT and end
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "echo:", err)
		os.Exit(1) //nolint:gocritic // nothing is left to do for the signal's handler
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return errors.New("serve or once?")
	}
	switch args[0] {
	case "once":
		_, err := fmt.Fprintln(stdout, strings.Join(args[1:], " "))
		return err
	case "serve":
		o, err := parse(args[1:], stderr)
		if err != nil {
			return err
		}
		return o.serve(ctx, stderr)
	default:
		fmt.Fprint(stderr, usage)
		return fmt.Errorf("there is no %q", args[0])
	}
}
