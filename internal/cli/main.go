// SPDX-License-Identifier: Apache-2.0

// Package cli is the command line: commands, flags, confirmation and exit
// codes. stdout is the product, stderr is progress.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"

	"github.com/spf13/cobra"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/localcluster"
)

// The exit codes, a contract for scripts.
const (
	ExitOK       = 0
	ExitError    = 1
	ExitChanges  = 2 // diff: there is something to do
	ExitDegraded = 3 // status: not healthy; a run that needs holders to come
)

// Streams are what the process reads and writes.
type Streams struct {
	In  *os.File
	Out io.Writer
	Err io.Writer
}

// exitCode is an error that only sets the exit code; it prints nothing.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// Main runs the command line and returns the exit code.
func Main(ctx context.Context, args []string, s Streams) int {
	if len(args) > 0 && args[0] == localcluster.Command {
		return exit(s.Err, localcluster.Main(ctx, args[1:], s.Out, s.Err))
	}
	klog.SetLogger(logr.Discard()) // client-go would write to stderr beside the progress
	root := newRoot(s)
	root.SetArgs(args)
	return exit(s.Err, nearest(root, args, root.ExecuteContext(ctx)))
}

// nearest adds what was meant to an error about a command that does not exist.
func nearest(root *cobra.Command, args []string, err error) error {
	if err == nil || hint.Of(err) != "" || !strings.HasPrefix(err.Error(), "unknown command") {
		return err
	}
	for _, meant := range root.SuggestionsFor(args[0]) {
		if meant != args[0] {
			return hint.With(err, "did you mean %s?", meant)
		}
	}
	return hint.With(err, "see `clusterup --help`")
}

func exit(w io.Writer, err error) int {
	var code exitCode
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &code):
		return int(code)
	}
	report(w, err)
	var degraded interface{ ExitCode() int }
	if errors.As(err, &degraded) {
		return degraded.ExitCode()
	}
	return ExitError
}

// report prints every error of a join on a line of its own, each hint once.
func report(w io.Writer, err error) {
	hinted := map[string]bool{}
	for _, e := range flatten(err) {
		fmt.Fprintln(w, "error: "+strings.TrimSpace(e.Error()))
		if h := hint.Of(e); h != "" && !hinted[h] {
			hinted[h] = true
			fmt.Fprintln(w, "hint: "+h)
		}
	}
}

// flatten takes apart what errors.Join put together, a line each; an error that
// wraps several in a sentence of its own stays whole.
func flatten(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	all, lines := []error{}, []string{}
	for _, e := range joined.Unwrap() {
		all, lines = append(all, flatten(e)...), append(lines, e.Error())
	}
	if err.Error() != strings.Join(lines, "\n") {
		return []error{err}
	}
	return all
}
