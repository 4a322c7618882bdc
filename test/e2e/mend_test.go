// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/kube"
	"clusterup.dev/clusterup/internal/localcluster"
	"clusterup.dev/clusterup/internal/store"
)

// deletedPod deletes each Vault pod in its turn, the active one among them; the next
// reconcile unseals its successor within ten seconds of its running.
func (w *world) deletedPod(t *testing.T, c *kube.Cluster) {
	for _, pod := range []string{"vault-0", "vault-1", "vault-2"} {
		old := strings.TrimSpace(w.kubectl("", "-n", "vault", "get", "pod", pod, "-o", "jsonpath={.metadata.uid}"))
		w.kubectl("", "-n", "vault", "delete", "pod", pod, "--wait=true", "--timeout=90s")
		until(t, "a new "+pod, time.Minute, func() bool {
			now := strings.TrimSpace(w.kubectl("", "-n", "vault", "get", "pod", pod, "--ignore-not-found", "-o", "jsonpath={.metadata.uid}"))
			return now != "" && now != old
		})
		w.must(3*time.Minute, "reconcile", w.name)
		ended := time.Now()
		w.vaultUnsealed(t, c)
		const vault = "jsonpath={.status.containerStatuses[?(@.name=='vault')].state.running.startedAt}"
		started, err := time.Parse(time.RFC3339, strings.TrimSpace(w.kubectl("", "-n", "vault", "get", "pod", pod, "-o", vault)))
		if err != nil {
			t.Fatal(err)
		}
		took := ended.Sub(started)
		t.Logf("%s was unsealed %.1fs or less after it ran", pod, took.Seconds())
		if took > 10*time.Second {
			t.Errorf("%s was unsealed %s after it ran", pod, took)
		}
	}
}

// rolledVault changes something that is in Vault's pods: the next create replaces
// all of them, and leaves them unsealed.
func (w *world) rolledVault(t *testing.T, c *kube.Cluster) {
	uids := func() []string {
		return strings.Fields(w.kubectl("", "-n", "vault", "get", "pods", "-l", "app.kubernetes.io/component=server", "-o", "jsonpath={.items[*].metadata.uid}"))
	}
	before := uids()
	w.rewrite(t, strings.Replace(environmentFile, "threshold: 2\n", "threshold: 2\n        logLevel: debug\n", 1))
	w.must(8*time.Minute, "create", w.name, "--yes")
	after := uids()
	if len(after) != 3 || slices.ContainsFunc(after, func(uid string) bool { return slices.Contains(before, uid) }) {
		t.Errorf("pods before: %v, after: %v", before, after)
	}
	w.vaultUnsealed(t, c)
	if again := w.must(time.Minute, "create", w.name); !strings.Contains(again.out, "nothing to do") {
		t.Errorf("the run after says %q", again.out)
	}
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

// twoRuns holds the run lock as another run would: a run beside it is refused and
// names the holder, looking is not, and once the lock is free all goes on.
func (w *world) twoRuns(t *testing.T) {
	bucket := w.openBucket(t)
	const holder = "jo@laptop pid 7"
	lease, err := store.Acquire(t.Context(), bucket, store.LockOptions{Owner: holder, Operation: "rehearsal"})
	if err != nil {
		t.Fatal(err)
	}
	refused := w.run(time.Minute, "reconcile", w.name)
	if refused.code != 1 || !strings.Contains(refused.err, "held by "+holder+" (rehearsal)") || !strings.Contains(refused.err, "hint: wait for that run") {
		t.Errorf("a run beside another ended with %d and says %q", refused.code, refused.err)
	}
	w.must(time.Minute, "status", w.name)
	w.must(time.Minute, "diff", w.name)
	if err := lease.Check(t.Context()); err != nil {
		t.Errorf("the holder: %v", err)
	}
	if err := lease.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if next := w.must(time.Minute, "reconcile", w.name); !strings.Contains(next.out, "nothing to do") {
		t.Errorf("the run after says %q", next.out)
	}
}

// openBucket opens the environment's bucket as its owner.
func (w *world) openBucket(t *testing.T) *store.S3 {
	t.Helper()
	access, err := localcluster.EnsureStore(t.Context(), localcluster.Config{Environment: w.name, Servers: filepath.Dir(w.tools)})
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := store.Open(t.Context(), store.Config{
		Bucket: access.Bucket, Prefix: w.name, Region: access.Region, Endpoint: access.Endpoint, PathStyle: true,
		AccessKey: access.AccessKey, SecretKey: access.SecretKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	return bucket
}

func until(t *testing.T, what string, limit time.Duration, holds func() bool) {
	t.Helper()
	err := converge.Until(t.Context(), what, limit, func(context.Context) (bool, string, error) { return holds(), "", nil })
	if err != nil {
		t.Fatal(err)
	}
}
