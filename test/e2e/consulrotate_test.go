// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/kube"
)

// consulRotation makes every secret of Consul anew while a client writes, and with
// Vault on it: nothing is lost, and no replica of Vault is started anew or sealed.
func (w *world) consulRotation(t *testing.T, c *kube.Cluster) {
	vaults := w.vaultPods()
	m := w.measure(t, c)
	for _, what := range []string{"gossip", "certs", "ca"} {
		start := time.Now()
		w.must(15*time.Minute, "consul", "rotate", what, w.name, "--yes")
		t.Logf("rotated %s in %s", what, time.Since(start).Round(time.Second))
		w.must(time.Minute, "diff", w.name)
		w.vaultUnsealed(t, c)
	}
	// One for each of the four rollouts, which TestConsul's own holds to one; the rest
	// is what these six minutes may cost a busy machine.
	m.stop(t, "the rotations", 4+2)

	old := w.token(t, "consul/bootstrap")
	w.must(5*time.Minute, "consul", "rotate", "token", w.name, "--yes")
	for token, known := range map[string]bool{old: false, w.token(t, "consul/bootstrap"): true} {
		_, code := w.ask(t, c, "consul", "consul-server-0", 8501, request{path: "/v1/acl/token/self", tls: true, headers: map[string]string{"X-Consul-Token": token}})
		if (code == 200) != known {
			t.Errorf("a management token, the newest: %v, is answered with %d", known, code)
		}
	}
	w.must(time.Minute, "diff", w.name)
	if now := w.vaultPods(); now != vaults {
		t.Errorf("pods of Vault were\n%s\nand are\n%s", vaults, now)
	}
	w.oneKeyInRing(t, c)
	ca := w.kubectl("", "-n", "consul", "get", "configmap", "consul-server", "-o", `jsonpath={.data.ca\.crt}`)
	if n := strings.Count(ca, "BEGIN CERTIFICATE"); n != 1 || strings.TrimSpace(ca) != strings.TrimSpace(w.public(t, "consul/ca")) {
		t.Errorf("%d certificates are trusted, or not the newest", n)
	}
	w.consulWell(t, c)
}

// oneKeyInRing proves that the old gossip key is nowhere.
func (w *world) oneKeyInRing(t *testing.T, c *kube.Cluster) {
	t.Helper()
	said, code := w.ask(t, c, "consul", "consul-server-0", 8501, request{
		path: "/v1/operator/keyring", tls: true, headers: map[string]string{"X-Consul-Token": w.token(t, "consul/bootstrap")},
	})
	var rings []struct {
		Keys     map[string]int
		NumNodes int
	}
	if err := json.Unmarshal([]byte(said), &rings); err != nil || code != 200 {
		t.Fatalf("the keyring: %d %v", code, err)
	}
	for _, ring := range rings {
		if key := w.token(t, "consul/gossip"); len(ring.Keys) != 1 || ring.Keys[key] != ring.NumNodes || ring.NumNodes < 6 {
			t.Errorf("%d keys, the newest on %d of %d members", len(ring.Keys), ring.Keys[key], ring.NumNodes)
		}
	}
}

// vaultPods tells the pods of Vault apart, and their containers' starts but those of
// the agents beside it.
func (w *world) vaultPods() string {
	return w.kubectl("", "-n", "vault", "get", "pods", "-o",
		`jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.status.containerStatuses[0].restartCount} {.status.initContainerStatuses[0].restartCount}{"\n"}{end}`)
}

// restoredAcross goes back to the snapshot of before the rotations: the management
// token of now is not in it, and the one that is gets replaced. Vault's data went
// back, too: its active pod is deleted as docs/consul.md says.
func (w *world) restoredAcross(t *testing.T, c *kube.Cluster) {
	var listed struct {
		Snapshots []struct{ Name, Trigger string }
	}
	if err := json.Unmarshal([]byte(w.must(time.Minute, "consul", "snapshot", w.name, "--list", "-o", "json").out), &listed); err != nil {
		t.Fatal(err)
	}
	name := ""
	for _, s := range listed.Snapshots {
		if s.Trigger == "scheduled" {
			name = s.Name
		}
	}
	w.must(5*time.Minute, "consul", "restore", w.name, name, "--confirm", w.name)
	if got := w.consulKV(t, "get", "e2e/config"); got != "before" {
		t.Errorf("after the restore the key is %q", got)
	}
	active := strings.TrimSpace(w.kubectl("", "-n", "vault", "get", "pods", "-l", "vault-active=true", "-o", "jsonpath={.items[0].metadata.name}"))
	w.kubectl("", "-n", "vault", "delete", "pod", active, "--wait=true", "--timeout=90s")
	w.must(5*time.Minute, "reconcile", w.name)
	w.vaultUnsealed(t, c)
	w.must(time.Minute, "diff", w.name)
	status := w.run(time.Minute, "consul", "status", w.name)
	w.expect(t, status, 0, fmt.Sprintf("%d of 3", 3))
}
