// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// pgpEnvironment has two holders with PGP keys, and me, who runs and holds nothing.
const pgpEnvironment = `apiVersion: clusterup.dev/v1alpha1
kind: Environment
metadata: {name: pgp}
spec:
  development: true
  cluster:
    terraform: {module: local, variables: {nodes: 1}}
  operators:
    - {name: me, self: true}
    - {name: ann, pgp: keys/ann.asc}
    - {name: bob, pgp: keys/bob.asc}
  addons:
    - name: vault
      values:
        replicas: 1
        storage: {type: raft, size: 256Mi}
        threshold: 2
        holders: [{operator: ann}, {operator: bob}]
`

// TestVaultPGP has Vault seal the shares to holders' PGP keys: the run that made it
// cannot open it again, and they can.
func TestVaultPGP(t *testing.T) {
	w := newWorld(t, "pgp", pgpEnvironment)
	holders := map[string]*openpgp.Entity{}
	for _, name := range []string{"ann", "bob"} {
		holders[name] = w.pgpHolder(t, name)
	}
	w.must(10*time.Minute, "create", w.name, "--yes")
	if again := w.must(time.Minute, "create", w.name); !strings.Contains(again.out, "nothing to do") {
		t.Errorf("the run after says %q", again.out)
	}
	w.kubeconfig()
	w.must(time.Minute, "vault", "keys", w.name)
	shares, args := w.pgpShares(t, holders), []string{"vault", "unseal", w.name}
	for name, share := range shares {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, share, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--share-of", name+"="+path)
	}
	w.kubectl("", "-n", "vault", "delete", "pod", "vault-0", "--wait=true", "--timeout=2m")
	until(t, "a sealed vault-0", 2*time.Minute, func() bool {
		return strings.Contains(w.run(time.Minute, "vault", "status", w.name).out, "sealed")
	})
	w.expect(t, w.run(time.Minute, "reconcile", w.name), 3, "ann", "bob")
	w.must(2*time.Minute, args...)
	if status := w.must(time.Minute, "status", w.name); strings.Contains(status.out, "of 2 holders have confirmed") {
		t.Errorf("who took part is not confirmed: %q", status.out)
	}
	for _, p := range w.places(t) {
		for name, share := range shares {
			if holds(p.data, forms(strings.TrimSpace(string(share)))) {
				t.Errorf("the share of %s is in %s: %s", name, p.sort, p.name)
			}
		}
	}
	w.must(3*time.Minute, "destroy", w.name, "--yes", "--purge")
}

// pgpHolder makes a key, and writes its public half where the environment looks.
func (w *world) pgpHolder(t *testing.T, name string) *openpgp.Entity {
	t.Helper()
	entity, err := openpgp.NewEntity(name, "", name+"@example.com", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Curve: packet.Curve25519})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	armored, err := armor.Encode(&text, openpgp.PublicKeyType, nil)
	if err == nil {
		err = entity.Serialize(armored)
	}
	if err == nil {
		err = armored.Close()
	}
	folder := filepath.Join(w.dir, "environments/keys")
	if err == nil {
		err = os.MkdirAll(folder, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name+".asc"), text.Bytes(), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return entity
}

// pgpShares opens the sealed shares of the bucket, as each holder would with `gpg -d`.
func (w *world) pgpShares(t *testing.T, holders map[string]*openpgp.Entity) map[string][]byte {
	t.Helper()
	shares := map[string][]byte{}
	for path, data := range w.bucket(t) {
		if filepath.Ext(path) != ".gpg" {
			continue
		}
		for name, entity := range holders {
			if !strings.Contains(filepath.Base(path), name) {
				continue
			}
			message, err := openpgp.ReadMessage(bytes.NewReader(data), openpgp.EntityList{entity}, nil, nil)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			if shares[name], err = io.ReadAll(message.UnverifiedBody); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(shares) != len(holders) {
		t.Fatalf("%d sealed shares of %d are in the bucket", len(shares), len(holders))
	}
	return shares
}
