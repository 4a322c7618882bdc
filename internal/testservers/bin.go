// SPDX-License-Identifier: Apache-2.0

// Package testservers starts real servers on loopback for tests and ends them
// with the test. It finds the binaries that the tools folder builds; a test
// whose server is not built is skipped, unless CLUSTERUP_REQUIRE_SERVERS=1
// makes that a failure.
package testservers

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Bin is the path of a built server: below $CLUSTERUP_SERVERS if that is set,
// else below bin/servers of this module.
func Bin(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("CLUSTERUP_SERVERS")
	if dir == "" {
		dir = filepath.Join(moduleRoot(t), "bin", "servers")
	}
	path := filepath.Join(dir, "bin", name)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		Missing(t, "the server %s is not built: %s", name, path)
	case err != nil:
		t.Fatalf("look for the server %s: %v", name, err)
	case info.IsDir() || info.Mode()&0o111 == 0:
		t.Fatalf("%s is not a program", path)
	}
	return path
}

// Missing ends a test for want of something that this machine lacks: as
// skipped, or as failed where CLUSTERUP_REQUIRE_SERVERS=1 says that nothing may
// be lacking.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CLUSTERUP_REQUIRE_SERVERS") == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// moduleRoot is the nearest folder above the test's own that holds a go.mod.
func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatalf("find the module: %v", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("find the module: no go.mod above the test's folder")
		}
		dir = up
	}
}
