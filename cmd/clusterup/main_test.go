// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/converge"
)

// TestHeed proves that the first signal cancels, that a terminal that goes away
// counts once, and that the second signal waits for what must not be cut off.
func TestHeed(t *testing.T) {
	section := &converge.Section{}
	ctx, cancel := context.WithCancelCause(converge.WithSection(t.Context(), section))
	stored := converge.Uninterruptible(ctx)
	signals, ended := make(chan os.Signal), make(chan struct{})
	var said strings.Builder
	go func() { heed(signals, cancel, section, &said); close(ended) }()
	mustRun := func(after string) {
		t.Helper()
		select {
		case <-ended:
			t.Fatalf("the program ends after %s", after)
		case <-time.After(20 * time.Millisecond):
		}
	}
	signals <- syscall.SIGHUP
	<-ctx.Done()
	signals <- syscall.SIGHUP
	mustRun("a second SIGHUP")
	signals <- syscall.SIGINT
	mustRun("a second signal, in the middle of what must not be cut off")
	stored()
	<-ended
	if strings.Count(said.String(), "\n") != 1 {
		t.Errorf("said %q, want a line", said.String())
	}
}
