// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestFailedBuildSaysWhereAndLeavesNothing(t *testing.T) {
	f := newFake(t)
	f.write(t, "one/main.go", "package main\n\nfunc main() { missing() }\n")
	_, err := f.prepare(t).make(t.Context(), &progress{out: &bytes.Buffer{}, start: time.Now()})
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "undefined: missing") {
		t.Fatalf("error is %v", err)
	}
	_, log, _ := strings.Cut(hintOf(err), " is in ")
	t.Cleanup(func() { os.Remove(log) })
	if text, err := os.ReadFile(log); err != nil || !strings.Contains(string(text), "main.go:3") {
		t.Errorf("the kept output is %q, %v", text, err)
	}
	left, err := filepath.Glob(filepath.Join(os.Getenv("CLUSTERUP_CACHE"), "servers", "*one*"))
	if err != nil || len(left) > 0 {
		t.Errorf("the failed build left %v, %v", left, err)
	}
	if _, err := os.Lstat(f.link); !os.IsNotExist(err) {
		t.Errorf("the link was made: %v", err)
	}
}

// A compiler that runs for ever, with a child of its own, is ended with that
// child when the run is interrupted.
func TestInterruptEndsTheCompilerAndItsChildren(t *testing.T) {
	f := newFake(t)
	pipe := filepath.Join(t.TempDir(), "pids")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "go")
	text := "#!/bin/sh\nsleep 600 &\necho $$ $! >" + pipe + "\nwait\n"
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- toolchain{program: script}.build(ctx, "one", f.tools, nil) }()
	pids, err := os.ReadFile(pipe)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	for _, pid := range strings.Fields(string(pids)) {
		awaitEnd(t, pid)
	}
}

// awaitEnd waits until a process that was killed is gone, or is only waiting to
// be collected: the kernel ends it a moment after the signal.
func awaitEnd(t *testing.T, pid string) {
	t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	late := time.After(10 * time.Second)
	for {
		status, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil || strings.Contains(string(status), ") Z ") {
			return
		}
		select {
		case <-look.C:
		case <-late:
			t.Errorf("process %s is still there: %s", pid, status)
			return
		}
	}
}

func TestLinkNeverReplacesAFolder(t *testing.T) {
	link := filepath.Join(t.TempDir(), "servers")
	if err := os.Mkdir(link, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := pointAt(link, "/elsewhere"); err == nil || hintOf(err) == "" {
		t.Errorf("error is %v", err)
	}
}
