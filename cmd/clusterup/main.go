// SPDX-License-Identifier: Apache-2.0

// Command clusterup makes Kubernetes clusters that are ready to use: built with
// Terraform, with add-ons, a Consul quorum and an unsealed Vault.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"clusterup.dev/clusterup/internal/cli"
	"clusterup.dev/clusterup/internal/converge"
)

// exitInterrupted is what shells expect of a program that a Ctrl-C ended.
const exitInterrupted = 130

// gcPercent is how much garbage may lie about for each live byte, in percent of
// it: thousands of objects shall not take a build machine's memory, and with few
// the collector hardly runs at all. A limit in bytes would make it run without
// end once the live objects come near it.
const gcPercent = 20

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	section := &converge.Section{}
	ctx, cancel := context.WithCancelCause(converge.WithSection(context.Background(), section))
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // by nohup
		signal.Notify(signals, syscall.SIGHUP)
	}
	// A reader of stderr that goes away must not kill a run: the write fails, and that
	// is all. Notify, unlike Ignore, is not handed down to Terraform.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	go func() {
		heed(signals, cancel, section, os.Stderr)
		os.Exit(exitInterrupted)
	}()
	forgetOthers()
	os.Exit(cli.Main(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}

// heed cancels the run at the first signal, which stops it cleanly: locks are
// released, Terraform is waited for. It returns at the second one, when the
// program is to end without that, but not in the middle of what must not be
// cut off. A terminal that goes away says so more than once: that is one signal.
func heed(signals <-chan os.Signal, cancel context.CancelCauseFunc, section *converge.Section, stderr io.Writer) {
	<-signals
	cancel(errors.New("interrupted"))
	for s := range signals {
		if s != syscall.SIGHUP {
			break
		}
	}
	if section.Busy() {
		fmt.Fprintln(stderr, "key shares of Vault are being stored, or a root token has to be revoked: clusterup stops right after")
	}
	section.Wait()
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
