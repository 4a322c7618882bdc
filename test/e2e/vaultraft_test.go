// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/kube"
)

// raftEnvironment is a Vault that keeps its data itself, on a cluster without Consul.
const raftEnvironment = `apiVersion: clusterup.dev/v1alpha1
kind: Environment
metadata: {name: raft}
spec:
  development: true
  custodian: me
  cluster:
    terraform: {module: local, variables: {nodes: 3}}
  operators:
    - {name: me, self: true}
  addons:
    - name: vault
      values:
        storage: {type: raft, size: 256Mi}
        roles: [{name: demo, serviceAccounts: [demo], namespaces: [demo], policies: [app]}]
`

// TestVaultOnRaft makes one, restarts all of it, and brings it back to a snapshot, the last
// time after all its volumes are gone.
func TestVaultOnRaft(t *testing.T) {
	w := newWorld(t, "raft", raftEnvironment)
	w.must(10*time.Minute, "create", w.name, "--yes")
	cluster := w.cluster()
	w.vaultUnsealed(t, cluster)
	if again := w.must(time.Minute, "create", w.name); !strings.Contains(again.out, "nothing to do") {
		t.Errorf("the run after says %q", again.out)
	}
	if status := w.must(time.Minute, "vault", "status", w.name); strings.Count(status.out, "raft") != 3 {
		t.Errorf("status says %q", status.out)
	}
	w.restartVault(t)
	w.must(3*time.Minute, "reconcile", w.name)
	w.vaultUnsealed(t, cluster)
	w.vaultBackup(t, cluster)
	w.vaultLost(t, cluster)
	w.must(3*time.Minute, "destroy", w.name, "--yes", "--purge")
}

// vaultBackup takes a snapshot, changes a secret and the key shares, and brings both back.
func (w *world) vaultBackup(t *testing.T, c *kube.Cluster) {
	w.putSecret(t, c, "app/e2e", map[string]string{"when": "before"})
	taken := w.must(time.Minute, "vault", "snapshot", w.name)
	if !strings.Contains(taken.out, "verified") {
		t.Errorf("it says %q", taken.out)
	}
	w.putSecret(t, c, "app/e2e", map[string]string{"when": "after"})
	w.must(2*time.Minute, "vault", "rekey", w.name, "--yes")

	w.expect(t, w.run(time.Minute, "vault", "restore", w.name), 1, "--confirm "+w.name)
	restored := w.must(3*time.Minute, "vault", "restore", w.name, "--confirm", w.name)
	if !strings.Contains(restored.out, "was read back") || !strings.Contains(restored.out, "what was there before") {
		t.Errorf("it says %q", restored.out)
	}
	w.secretIsOfBefore(t)
	w.restartVault(t)
	w.must(3*time.Minute, "reconcile", w.name)
	w.vaultUnsealed(t, c)
	if again := w.must(time.Minute, "create", w.name); !strings.Contains(again.out, "nothing to do") {
		t.Errorf("the run after says %q", again.out)
	}
	if status := w.must(time.Minute, "status", w.name); !strings.Contains(status.out, "last snapshot") {
		t.Errorf("status says %q", status.out)
	}
	if list := w.must(time.Minute, "vault", "snapshot", w.name, "--list"); strings.Count(list.out, "verified") != 2 || !strings.Contains(list.out, "safety") {
		t.Errorf("listed %q", list.out)
	}
}

// secretIsOfBefore reads what was written before the snapshot.
func (w *world) secretIsOfBefore(t *testing.T) {
	t.Helper()
	program := filepath.Join(w.tools, "vault")
	got := w.must(2*time.Minute, "vault", "generate-root", w.name, "--", program, "kv", "get", "-field=when", "-mount=secret", "app/e2e")
	if !strings.Contains(got.out, "before") {
		t.Errorf("after the restore the secret is %q", got.out)
	}
}

// vaultLost takes the volumes of all replicas away: no run makes another Vault in the place
// of the one whose shares are dealt, and the last snapshot brings it back.
func (w *world) vaultLost(t *testing.T, c *kube.Cluster) {
	w.kubectl("", "-n", "vault", "scale", "statefulset", "vault", "--replicas=0")
	w.kubectl("", "-n", "vault", "wait", "--for=delete", "pod", "-l", "app.kubernetes.io/name=vault", "--timeout=2m")
	w.kubectl("", "-n", "vault", "delete", "pvc", "data-vault-0", "data-vault-1", "data-vault-2", "--timeout=2m")
	w.kubectl("", "-n", "vault", "scale", "statefulset", "vault", "--replicas=3")
	w.expect(t, w.run(5*time.Minute, "create", w.name, "--yes"), 1, "vault says that it was never initialised", "clusterup vault restore ENV")
	restored := w.must(5*time.Minute, "vault", "restore", w.name, "--confirm", w.name)
	if !strings.Contains(restored.out, "was read back") || strings.Contains(restored.out, "what was there before") {
		t.Errorf("it says %q", restored.out)
	}
	w.secretIsOfBefore(t)
	w.vaultUnsealed(t, c)
	w.restartVault(t)
	w.must(3*time.Minute, "reconcile", w.name)
	w.vaultUnsealed(t, c)
	if again := w.must(time.Minute, "create", w.name); !strings.Contains(again.out, "nothing to do") {
		t.Errorf("the run after says %q", again.out)
	}
}
