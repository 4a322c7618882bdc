// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"clusterup.dev/clusterup/internal/kube"
)

// vaultEnvironment has three holders of one share each, no two of them the same
// person: what a run of one of them cannot open, it has to ask for.
const vaultEnvironment = `apiVersion: clusterup.dev/v1alpha1
kind: Environment
metadata: {name: vault}
spec:
  development: true
  cluster:
    terraform: {module: local, variables: {nodes: 3}}
  operators:
    - {name: me, age: %s}
    - {name: ann, age: %s}
    - {name: bob, age: %s}
  addons:
    - name: consul
      values: {backup: {schedule: "@monthly"}}
    - name: vault
      values:
        threshold: 2
        holders: [{operator: me}, {operator: ann}, {operator: bob}]
`

// TestVault is the life of one Vault whose holders are three people: opened by
// any two of them, given new shares, brought back from a snapshot of before.
func TestVault(t *testing.T) {
	pairs := map[string]*age.X25519Identity{}
	for _, name := range []string{"me", "ann", "bob"} {
		pair, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		pairs[name] = pair
	}
	outer := newWorld(t, "vault", fmt.Sprintf(vaultEnvironment, pairs["me"].Recipient(), pairs["ann"].Recipient(), pairs["bob"].Recipient()))
	folder := t.TempDir()
	keys := map[string]string{"ann": filepath.Join(folder, "ann"), "bob": filepath.Join(folder, "bob")}
	writeKey(t, outer.identity(), pairs["me"])
	for name, path := range keys {
		writeKey(t, path, pairs[name])
	}
	outer.others = keys
	then := func(what string, do func(t *testing.T, w *world)) {
		t.Helper()
		t.Run(what, func(t *testing.T) { do(t, outer.in(t)) })
	}
	alone := outer.run(10*time.Minute, "create", outer.name, "--yes")
	outer.expect(t, alone, 3, "ann", "bob")
	cluster := outer.cluster()
	outer.must(time.Minute, "vault", "unseal", outer.name, "--with-identity", keys["ann"])
	outer.must(5*time.Minute, "create", outer.name, "--yes")
	then("its holders confirm what they hold", func(t *testing.T, w *world) { w.holdersConfirm(t) })
	then("any two holders open a restarted Vault, and one does not", func(t *testing.T, w *world) { w.everySubset(t, cluster) })
	then("a root token lives as long as one command", func(t *testing.T, w *world) { w.rootForACommand(t) })
	outer.must(2*time.Minute, "consul", "snapshot", outer.name)
	then("new shares replace the old ones", func(t *testing.T, w *world) { w.newShares(t, cluster) })
	then("a snapshot of before brings the old shares back", func(t *testing.T, w *world) { w.oldShares(t, cluster) })
	then("no secret is anywhere outside its sealed form", func(t *testing.T, w *world) { w.canary(t) })
	outer.must(3*time.Minute, "destroy", outer.name, "--yes", "--purge")
}

func writeKey(t *testing.T, path string, pair *age.X25519Identity) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(pair.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// holdersConfirm has each holder open and check their share.
func (w *world) holdersConfirm(t *testing.T) {
	if before := w.run(time.Minute, "status", w.name); !strings.Contains(before.out, "0 of 3 holders have confirmed") {
		t.Errorf("status before says %q", before.out)
	}
	w.must(time.Minute, "vault", "verify-share", w.name)
	for _, key := range w.others {
		w.must(time.Minute, "vault", "verify-share", w.name, "--identity", key)
	}
	if after := w.must(time.Minute, "status", w.name); strings.Contains(after.out, "of 3 holders have confirmed") {
		t.Errorf("status after says %q", after.out)
	}
}

// everySubset restarts every replica and lets two of the three holders open them,
// each two in their turn.
func (w *world) everySubset(t *testing.T, c *kube.Cluster) {
	me, ann, bob := w.identity(), w.others["ann"], w.others["bob"]
	for _, two := range [][2]string{{me, ann}, {me, bob}, {ann, bob}} {
		w.restartVault(t)
		w.expect(t, w.run(time.Minute, "vault", "unseal", w.name, "--identity", two[0]), 3, "1 more of the 2")
		w.must(2*time.Minute, "vault", "unseal", w.name, "--identity", two[0], "--with-identity", two[1])
		w.vaultUnsealed(t, c)
	}
	w.expect(t, w.run(time.Minute, "vault", "unseal", w.name), 0, "nothing to do")
}

// restartVault deletes all of Vault's pods and waits until others answer, sealed.
func (w *world) restartVault(t *testing.T) {
	t.Helper()
	uids := func() string {
		return w.kubectl("", "-n", "vault", "get", "pods", "-l", "app.kubernetes.io/name=vault", "-o", "jsonpath={.items[*].metadata.uid}")
	}
	old := strings.Fields(uids())
	w.kubectl("", "-n", "vault", "delete", "pods", "-l", "app.kubernetes.io/name=vault", "--wait=true", "--timeout=2m")
	until(t, "three new pods of Vault, sealed", 2*time.Minute, func() bool {
		now := uids()
		for _, uid := range old {
			if strings.Contains(now, uid) {
				return false
			}
		}
		return strings.Count(w.run(time.Minute, "vault", "status", w.name).out, "sealed") >= 3
	})
}

// rootForACommand runs Vault's own program with a root token, and sees the token
// in nothing that is left.
func (w *world) rootForACommand(t *testing.T) {
	vault := filepath.Join(w.tools, "vault")
	done := w.must(2*time.Minute, "vault", "generate-root", w.name, "--with-identity", w.others["bob"], "--", vault, "policy", "list")
	if !strings.Contains(done.out, "clusterup") || !strings.Contains(done.err+done.out, "revoked") {
		t.Errorf("it says %q and %q", done.out, done.err)
	}
}

// newShares raises the threshold, and sees the old shares open nothing.
func (w *world) newShares(t *testing.T, c *kube.Cluster) {
	file, err := os.ReadFile(filepath.Join(w.dir, "environments", w.name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	w.rewrite(t, strings.Replace(string(file), "threshold: 2", "threshold: 3", 1))
	w.expect(t, w.run(time.Minute, "create", w.name, "--yes"), 1, "clusterup vault rekey")
	w.must(2*time.Minute, "vault", "rekey", w.name, "--yes", "--with-identity", w.others["ann"])
	w.must(2*time.Minute, "reconcile", w.name)
	w.restartVault(t)
	w.expect(t, w.run(time.Minute, "vault", "unseal", w.name, "--with-identity", w.others["ann"]), 3, "bob")
	w.must(2*time.Minute, "vault", "unseal", w.name, "--with-identity", w.others["ann"], "--with-identity", w.others["bob"])
	w.vaultUnsealed(t, c)
}

// oldShares brings Consul, and with it Vault's storage, back to before the rekey.
func (w *world) oldShares(t *testing.T, c *kube.Cluster) {
	w.must(3*time.Minute, "consul", "restore", w.name, "--confirm", w.name)
	w.restartVault(t)
	w.expect(t, w.run(2*time.Minute, "vault", "unseal", w.name, "--with-identity", w.others["ann"], "--with-identity", w.others["bob"]), 1, "--earlier-shares")
	w.must(2*time.Minute, "vault", "unseal", w.name, "--with-identity", w.others["ann"], "--earlier-shares")
	w.vaultUnsealed(t, c)
	if keys := w.must(time.Minute, "vault", "keys", w.name); !strings.Contains(keys.out, "2 of 3 unseal") {
		t.Errorf("keys says %q", keys.out)
	}
	w.restartVault(t)
	w.must(2*time.Minute, "vault", "unseal", w.name, "--with-identity", w.others["bob"])
	w.vaultUnsealed(t, c)
}
