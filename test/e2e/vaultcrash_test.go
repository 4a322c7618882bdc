// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestVaultCrashes kills runs at random moments of the Vault hook, on a cluster
// whose Vault is made to have never been before each. The run after ends with a
// working Vault whose shares open it, or says that the init's answer was lost, and
// then goes on when it is asked to.
func TestVaultCrashes(t *testing.T) {
	rounds := 3
	if os.Getenv("CLUSTERUP_CRASH") == "all" {
		rounds = 50
	}
	w := newWorld(t, "crash", strings.ReplaceAll(environmentFile, "{name: e2e}", "{name: crash}"))
	w.must(10*time.Minute, "create", w.name, "--yes")
	cluster := w.cluster()
	lost, late := 0, 0
	for range rounds {
		w.forgetVault(t)
		after := rand.N(3500 * time.Millisecond)
		if !w.killedAfter(t, after) {
			late++
		}
		next := w.run(5*time.Minute, "create", w.name, "--yes")
		if next.code != 0 {
			w.expect(t, next, 1, "its key shares were never stored", "--reinitialize-empty")
			lost++
			w.must(5*time.Minute, "create", w.name, "--yes", "--reinitialize-empty", "--confirm", w.name)
		}
		w.vaultUnsealed(t, cluster)
		w.restartVault(t)
		w.must(2*time.Minute, "reconcile", w.name) // the shares that were dealt open it
		w.vaultUnsealed(t, cluster)
		if t.Failed() {
			t.Fatalf("killed %s after the first step began", after)
		}
	}
	t.Logf("%d runs killed, %d of them ended before; %d times the init's answer was lost", rounds, late, lost)
	w.must(3*time.Minute, "destroy", w.name, "--yes", "--purge")
}

// killedAfter kills a create that long after it began to carry its plan out. It is
// false when the run ended first.
func (w *world) killedAfter(t *testing.T, wait time.Duration) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c := w.command(ctx, "create", w.name, "--yes")
	began := &killer{step: " plan: ", kill: func() {
		time.AfterFunc(wait, func() { _ = c.Process.Signal(syscall.SIGKILL) })
	}}
	c.Stderr, c.Stdout = began, began
	err := w.watched(c, func() {})
	w.said.Write(began.said.Bytes())
	t.Logf("killed %s after it began: %v\n%s", wait, err, began.said.String())
	if !began.fired {
		t.Fatalf("the run had nothing to do: %v", err)
	}
	return err != nil
}

// forgetVault makes this Vault one that never was: its storage is emptied, its pods
// are restarted, and the bucket knows of no init.
func (w *world) forgetVault(t *testing.T) {
	t.Helper()
	bucket := w.openBucket(t)
	for _, prefix := range []string{"vault/", "keys/"} {
		entries, err := bucket.List(t.Context(), prefix)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if err := bucket.Delete(t.Context(), e.Key); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.kubectl("", "-n", "vault", "scale", "statefulset", "vault", "--replicas=0")
	w.kubectl("", "-n", "vault", "wait", "--for=delete", "pod", "-l", "app.kubernetes.io/name=vault", "--timeout=2m")
	w.consulKV(t, "delete", "-recurse", "vault/")
	w.kubectl("", "-n", "vault", "scale", "statefulset", "vault", "--replicas=3")
	until(t, "three empty replicas of Vault", 2*time.Minute, func() bool {
		return strings.Count(w.run(time.Minute, "vault", "status", w.name).out, "not initialised") >= 3
	})
}
