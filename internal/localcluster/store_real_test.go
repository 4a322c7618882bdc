// SPDX-License-Identifier: Apache-2.0

//go:build linux

package localcluster

import (
	"context"
	"errors"
	"net"
	"os"
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

// Pods get a way of their own as soon as the environment has its subnet, also to a
// store that an older version made and whose server still runs; the ways and the
// keys stay.
func TestPodsGetTheirWayToTheStore(t *testing.T) {
	c := storeConfig(t)
	first, err := EnsureStore(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := PurgeStore(context.WithoutCancel(t.Context()), c); err != nil {
			t.Error(err)
		}
	})
	if first.Pods.Endpoint != "" {
		t.Errorf("pods have a way before there is a subnet: %s", first.Pods.Endpoint)
	}
	f := c.layout().files()
	var keys storeKeys
	if err := errors.Join(readJSON(f.credentials(), &keys), os.Remove(f.started())); err != nil {
		t.Fatal(err)
	}
	keys.Limited = nil // as an older version wrote it
	if err := writeJSON(f.credentials(), keys, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Reserve(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	n, err := parseNetwork(r.Subnet)
	if err != nil {
		t.Fatal(err)
	}
	second, err := EnsureStore(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(first.Endpoint, "http://127.0.0.1", "https://"+n.gateway().String(), 1); second.Pods.Endpoint != want {
		t.Errorf("pods go to %q, want %q", second.Pods.Endpoint, want)
	}
	if second.Endpoint != first.Endpoint || second.AccessKey != first.AccessKey || !second.SecretKey.Equal(first.SecretKey) {
		t.Error("the store has another address or other keys than before")
	}
	if second.Pods.AccessKey == second.AccessKey || second.Pods.SecretKey.IsZero() {
		t.Error("pods have no key of their own")
	}
	pid, _ := readPID(f.pid())
	third, err := EnsureStore(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := readPID(f.pid()); again != pid {
		t.Error("the server was started anew without a reason")
	}
	if third.Pods.CA != second.Pods.CA || third.Pods.AccessKey != second.Pods.AccessKey || !third.Pods.SecretKey.Equal(second.Pods.SecretKey) {
		t.Error("the way of pods has changed")
	}
	if cert, err := os.ReadFile(f.podsKey()); err != nil || len(cert) == 0 {
		t.Errorf("no key of the certificate: %v", err)
	}
}
