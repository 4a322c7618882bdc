// SPDX-License-Identifier: Apache-2.0

package app

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

// withPGPKeys writes PGP keys of these people into a folder, and returns its path.
func withPGPKeys(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		entity, err := openpgp.NewEntity(name, "", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := entity.Serialize(&b); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".gpg"), b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// withHolders is an environment whose operator me runs and opens tokens.
func withHolders(dir, holders string) string {
	return `
  development: true
  cluster: {terraform: {module: local}}
  operators:
    - {name: me, self: true}
    - {name: bob, pgp: ` + dir + `/bob.gpg}
    - {name: carol, pgp: ` + dir + `/carol.gpg}
  delivery: {folder: shares}
  addons: [{name: consul}, {name: vault, values: {threshold: 2, holders: ` + holders + `}}]
`
}

// TestVaultSealsToPGPKeys proves that the deal to PGP keys comes after the configuration and
// before the delivery, and that there is none without them.
func TestVaultSealsToPGPKeys(t *testing.T) {
	dir := withPGPKeys(t, "bob", "carol")
	items := listOf(t, withHolders(dir, "[{operator: bob}, {operator: carol}]"))
	if err := converge.CheckOrder(items); err != nil {
		t.Fatal(err)
	}
	if !ground(t, items, "vault/deal")["vault/configure"] || !ground(t, items, "vault/deliver")["vault/deal"] {
		t.Error("the deal does not come between the configuration and the delivery")
	}
	items = listOf(t, withHolders(dir, "[{operator: me, shares: 3}]"))
	if slices.ContainsFunc(items, func(i converge.Item) bool { return i.Step.Name() == "vault/deal" }) {
		t.Error("there is a deal to PGP keys, and nobody has one")
	}
}

// TestHoldersOfTwoKindsAreRefused proves that a mix is refused offline, where it is.
func TestHoldersOfTwoKindsAreRefused(t *testing.T) {
	dir := withPGPKeys(t, "bob", "carol")
	for holders, column := range map[string]string{"[{operator: bob}, {operator: me}]": "bob and me", "[{operator: me}, {operator: bob}, {operator: carol}]": "me and bob"} {
		path := filepath.Join(t.TempDir(), "some.yaml")
		text := "apiVersion: clusterup.dev/v1alpha1\nkind: Environment\nmetadata: {name: some}\nspec:" + withHolders(dir, holders)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(Options{Environment: path})
		if err == nil || !strings.Contains(err.Error(), "some.yaml:12:") || !strings.Contains(err.Error(), column) || strings.Contains(err.Error(), "\n") || hint.Of(err) == "" {
			t.Errorf("%v (hint %q)", err, hint.Of(err))
		}
	}
}
