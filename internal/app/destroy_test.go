// SPDX-License-Identifier: Apache-2.0

package app

import (
	"errors"
	"testing"

	"clusterup.dev/clusterup/internal/store"
)

// TestOwnKeysAreTheOnesThatClusterupWrites proves that a purge leaves alone what
// others keep below the same prefix, another environment among them.
func TestOwnKeysAreTheOnesThatClusterupWrites(t *testing.T) {
	for key, want := range map[string]bool{
		"terraform/state.tfstate": true, "tokens/vault/ca/000001.age": true, "keys/n/me-1.age": true,
		"current.json": true, "cluster.json": true, "releases/ab.json": true,
		"observed/u/demo.json": true,
		store.LockKey:          false, "prod/tokens/vault/ca/000001.age": false, "notes.txt": false, "keys": false, "keys/": false,
	} {
		if got := own(key); got != want {
			t.Errorf("own(%q) is %t, want %t", key, got, want)
		}
	}
}

func TestStatusOfManyErrorsIsOneLine(t *testing.T) {
	row := failed("drift", errors.Join(errors.New("a"), errors.New("b"), errors.New("c")))
	if row.Detail != "a (and 2 more)" {
		t.Errorf("%q", row.Detail)
	}
}
