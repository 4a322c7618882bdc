// SPDX-License-Identifier: Apache-2.0

//go:build linux

package localcluster

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"clusterup.dev/clusterup/internal/testservers"
	"golang.org/x/sys/unix"
)

func storeConfig(t *testing.T) Config {
	t.Helper()
	return Config{
		Environment: "store", StateRoot: filepath.Join(t.TempDir(), "state"),
		Servers: filepath.Dir(filepath.Dir(testservers.Bin(t, "s3"))),
	}
}

// The store keeps its address, its keys and its data over the death of its
// server, and is gone after a purge.
func TestStoreComesBackWhereItWas(t *testing.T) {
	c := storeConfig(t)
	if StoreExists(c) {
		t.Error("a store exists before one was made")
	}
	first, err := EnsureStore(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := PurgeStore(t.Context(), c); err != nil {
			t.Error(err)
		}
		if exists(c.StateRoot) {
			t.Error("the purge left the state folder")
		}
	})
	if err := testservers.Answers(first.Endpoint + "/healthz")(t.Context()); err != nil {
		t.Fatal(err)
	}
	pid, err := readPID(c.layout().files().pid())
	if err != nil {
		t.Fatal(err)
	}
	same, err := EnsureStore(t.Context(), c)
	if again, _ := readPID(c.layout().files().pid()); err != nil || again != pid || same.Endpoint != first.Endpoint {
		t.Fatalf("a second look started process %d at %s (was %d at %s), %v", again, same.Endpoint, pid, first.Endpoint, err)
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, "the end of the server", func() bool { running, err := serverRuns(c.layout().files()); return err == nil && !running })
	back, err := EnsureStore(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if back.Endpoint != first.Endpoint || back.AccessKey != first.AccessKey ||
		back.SecretKey.RevealString() != first.SecretKey.RevealString() {
		t.Error("the store that came back has another address or other keys")
	}
	if !StoreExists(c) {
		t.Error("the store does not exist")
	}
	if err := StopStore(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	left, err := LeftBehind(t.Context(), c)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind by a stopped store: %v, %v", left, err)
	}
}

// A program that took the port of a dead server is named, not talked to.
func TestStoreRefusesAStrangerOnItsPort(t *testing.T) {
	c := storeConfig(t)
	access, err := EnsureStore(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := StopStore(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp4", strings.TrimPrefix(access.Endpoint, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = EnsureStore(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "is taken by process") {
		t.Errorf("error %v", err)
	}
}
