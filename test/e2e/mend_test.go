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

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/kube"
)

// deletedPod deletes one Vault pod; the next create unseals its successor.
func (w *world) deletedPod(t *testing.T, c *kube.Cluster) {
	old := strings.TrimSpace(w.kubectl("", "-n", "vault", "get", "pod", "vault-1", "-o", "jsonpath={.metadata.uid}"))
	w.kubectl("", "-n", "vault", "delete", "pod", "vault-1", "--wait=true", "--timeout=90s")
	until(t, "a new vault-1", time.Minute, func() bool {
		now := strings.TrimSpace(w.kubectl("", "-n", "vault", "get", "pod", "vault-1", "--ignore-not-found", "-o", "jsonpath={.metadata.uid}"))
		return now != "" && now != old
	})
	w.must(3*time.Minute, "create", w.name, "--yes")
	w.vaultUnsealed(t, c)
}

// killedNode kills the first process of the last node, and with it everything on
// it; the next create starts the node again with its volumes.
func (w *world) killedNode(t *testing.T, c *kube.Cluster) {
	const node = "e2e-3"
	volumes := w.kubectl("", "get", "pv", "-o", "jsonpath={range .items[*]}{.metadata.name} {.metadata.uid}{\"\\n\"}{end}")
	kill(t, w.nodeProcess(t, node))
	status := w.run(time.Minute, "status", w.name)
	if status.code != 3 {
		t.Errorf("status with a dead node ends with %d, want 3", status.code)
	}
	w.must(6*time.Minute, "create", w.name, "--yes")
	if after := w.kubectl("", "get", "pv", "-o", "jsonpath={range .items[*]}{.metadata.name} {.metadata.uid}{\"\\n\"}{end}"); after != volumes {
		t.Errorf("volumes before:\n%s\nand after:\n%s", volumes, after)
	}
	w.consulQuorum(t, c)
	w.vaultUnsealed(t, c)
	if again := w.must(time.Minute, "create", w.name); !strings.Contains(again.out, "nothing to do") {
		t.Errorf("the run after says %q", again.out)
	}
}

// nodeProcess is the id of a node's first process.
func (w *world) nodeProcess(t *testing.T, node string) int {
	t.Helper()
	var p struct {
		PID int `json:"pid"`
	}
	data, err := os.ReadFile(filepath.Join(w.state, "nodes", node, "process.json"))
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	if err != nil || p.PID <= 1 {
		t.Fatalf("process of %s: %v (%s)", node, err, data)
	}
	return p.PID
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, "the process to be gone", time.Minute, func() bool { return syscall.Kill(pid, 0) != nil })
}

// twoRuns starts a reconcile beside another: one of them waits or is refused,
// and names the other; nothing breaks.
func (w *world) twoRuns(t *testing.T) {
	var first bytes.Buffer
	c := w.command(t.Context(), "reconcile", w.name)
	c.Stdout, c.Stderr = &first, &first
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	second := w.run(time.Minute, "reconcile", w.name)
	if err := c.Wait(); err != nil {
		t.Errorf("the first run: %v\n%s", err, first.String())
	}
	if second.code != 0 && !strings.Contains(second.err, "held by") {
		t.Errorf("the second run ended with %d and does not say who holds the lock", second.code)
	}
}

func until(t *testing.T, what string, limit time.Duration, holds func() bool) {
	t.Helper()
	err := converge.Until(t.Context(), what, limit, func(context.Context) (bool, string, error) { return holds(), "", nil })
	if err != nil {
		t.Fatal(err)
	}
}
