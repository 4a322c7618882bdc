// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestBucketOutlivesTheServer(t *testing.T) {
	dir := t.TempDir()
	t.Run("first", func(t *testing.T) {
		if _, code := put(t.Context(), startIn(t, dir), "kept.json", "1", absent); code != "" {
			t.Fatal(code)
		}
	})
	t.Run("second", func(t *testing.T) {
		if _, code := put(t.Context(), startIn(t, dir), "kept.json", "2", absent); code != failed {
			t.Errorf("the object of the first run is gone: %q", code)
		}
	})
}

// A server killed while it made its bucket leaves a folder that no request
// can use; the next start makes the bucket all the same.
func TestUnfinishedBucketIsMadeAgain(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "data", bucket), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, code := put(t.Context(), startIn(t, dir), "a.json", "1", absent); code != "" {
		t.Error(code)
	}
}
