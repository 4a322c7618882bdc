// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCreateThenDelete(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pvc-1_vault_data")
	for range 2 { // done already is done
		if err := run("create", path); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if perm := info.Mode().Perm(); perm != 0o777 {
		t.Errorf("mode is %o, so a pod that is not root cannot write", perm)
	}
	if err := os.MkdirAll(filepath.Join(path, "a/b"), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := run("delete", path); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the volume is still there: %v", err)
	}
}

func TestRefusesOddPaths(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("/etc", filepath.Join(dir, "pvc-link")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"", "/", "/pvc-1", "pvc-1", "/etc", dir, dir + "/data", dir + "/../pvc-1", dir + "//pvc-1", dir + "/pvc-1/",
		dir + "/pvc-link",
	} {
		if err := run("create", path); err == nil {
			t.Errorf("create accepted %q", path)
		}
	}
	if err := run("format", dir+"/pvc-1"); err == nil {
		t.Error("an unknown action was accepted")
	}
}

// Deleting a symlink in a volume's place takes the link, never what it names.
func TestDeleteDoesNotFollowLinks(t *testing.T) {
	outside := t.TempDir()
	kept := filepath.Join(outside, "kept")
	if err := os.WriteFile(kept, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "pvc-link")
	if err := os.Symlink(outside, link); err != nil {
		t.Fatal(err)
	}
	if err := run("delete", link); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(kept); err != nil {
		t.Errorf("a file outside the volume was removed: %v", err)
	}
}
