// SPDX-License-Identifier: Apache-2.0

package courier

import (
	"os"
	"path/filepath"
	"testing"

	"clusterup.dev/clusterup/internal/custody"
)

// TestFolder proves that files appear whole, for their owner alone, that a second
// delivery changes nothing, and that nothing is overwritten.
func TestFolder(t *testing.T) {
	f := Folder{Dir: filepath.Join(t.TempDir(), "shares", "prod")}
	files := []custody.File{{Name: "n1/alice-1.age", Sealed: []byte("one")}, {Name: "n1/alice-2.age", Sealed: []byte("two")}}
	for range 2 {
		if err := f.Deliver(t.Context(), "alice", files); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(f.Dir, "n1")
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%v, %v", entries, err)
	}
	path := filepath.Join(dir, "alice-1.age")
	info, err := os.Stat(path)
	if data, readErr := os.ReadFile(path); err != nil || readErr != nil || string(data) != "one" || info.Mode().Perm() != 0o600 {
		t.Errorf("%q, %v, %v, %v", data, info.Mode(), err, readErr)
	}
	if err := f.Deliver(t.Context(), "alice", []custody.File{{Name: "n1/alice-1.age", Sealed: []byte("other")}}); err == nil {
		t.Error("a file is overwritten")
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "one" {
		t.Errorf("%q, %v", data, err)
	}
}
