// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// interrupted starts the very first create and presses Ctrl-C while Terraform
// boots the nodes: the run ends by itself, says what to do, and holds nothing.
func (w *world) interrupted(t *testing.T) {
	var said bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := w.command(ctx, "create", w.name, "--yes")
	c.Stdout, c.Stderr = &said, &said
	var pressed time.Time
	err := w.watched(c, func() {
		until(t, "the first node to boot", time.Minute, func() bool {
			_, err := os.Stat(filepath.Join(w.state, "nodes", w.name+"-1", "process.json"))
			return err == nil
		})
		pressed = time.Now()
		if err := c.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
	})
	took := time.Since(pressed)
	w.said.Write(said.Bytes())
	t.Logf("ended %.1fs after Ctrl-C: %v\n%s", took.Seconds(), err, said.String())
	if c.ProcessState.ExitCode() != 1 {
		t.Errorf("it ended with %v, want the exit code 1", err)
	}
	for _, want := range []string{"error: stopped: interrupted", "hint: run it again", "clusterup create " + w.name} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if took > 15*time.Second {
		t.Errorf("it took %s to end", took)
	}
	if holder := w.holder(t); holder != "" {
		t.Errorf("the run lock is still held by %s", holder)
	}
	for path := range w.bucket(t) {
		if strings.HasSuffix(path, ".tflock") {
			t.Errorf("Terraform still holds %s", path)
		}
	}
	for _, line := range (&commandLines{lines: map[string]bool{}}).all() {
		if strings.Contains(line, filepath.Join(w.state, "bin/clusterup")+"\x00local\x00boot") {
			t.Errorf("the nodes are still being booted: %q", line)
		}
	}
}

// holder is who holds the run lock, as it is written in the bucket; "" is nobody.
func (w *world) holder(t *testing.T) string {
	t.Helper()
	var lock struct{ Holder struct{ Owner string } }
	data, err := os.ReadFile(filepath.Join(w.state, "s3/data/clusterup", w.name, "lock.json"))
	if err == nil {
		err = json.Unmarshal(data, &lock)
	}
	if err != nil {
		t.Fatal(err)
	}
	return lock.Holder.Owner
}

// killedWhile starts a create and kills it with SIGKILL as soon as it says that
// a step is done; the next step is then under way.
func (w *world) killedWhile(t *testing.T, step string) {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	c := w.command(ctx, "create", w.name, "--yes")
	watcher := &killer{step: "✓ " + step, kill: func() { _ = c.Process.Signal(syscall.SIGKILL) }}
	c.Stderr, c.Stdout = watcher, watcher
	err := w.watched(c, func() {})
	w.said.Write(watcher.said.Bytes())
	t.Logf("killed after %s: %v\n%s", step, err, watcher.said.String())
	if !watcher.fired {
		t.Fatalf("the run ended before %s was done: %v", step, err)
	}
}

// killer is a writer that kills once it has read its word.
type killer struct {
	said  bytes.Buffer
	step  string
	kill  func()
	fired bool
}

func (k *killer) Write(p []byte) (int, error) {
	n, err := k.said.Write(p)
	if !k.fired && strings.Contains(k.said.String(), k.step) {
		k.fired = true
		k.kill()
	}
	return n, err
}
