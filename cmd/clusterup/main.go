// SPDX-License-Identifier: Apache-2.0

// Command clusterup makes Kubernetes clusters that are ready to use: built with
// Terraform, with add-ons, a Consul quorum and an unsealed Vault.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"clusterup.dev/clusterup/internal/cli"
)

// exitInterrupted is what shells expect of a program that a Ctrl-C ended.
const exitInterrupted = 130

func main() {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals // the first one stops cleanly: locks are released, Terraform is waited for
		cancel(errors.New("interrupted"))
		<-signals // the second one does not wait
		os.Exit(exitInterrupted)
	}()
	forgetOthers()
	os.Exit(cli.Main(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}

// forgetOthers drops what a shell says of another Vault or Consul: their clients
// read it even when they are told everything, and fail on what it names.
func forgetOthers() {
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "VAULT_") || strings.HasPrefix(name, "CONSUL_") {
			_ = os.Unsetenv(name) // fails only for names that no shell can set
		}
	}
}
