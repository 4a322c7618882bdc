// SPDX-License-Identifier: Apache-2.0

package app

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/store"
	"clusterup.dev/clusterup/internal/testservers"
)

// Of two runs at once the second is told who holds the lock and what to do; when
// the first is done, it may.
func locked(t *testing.T, w *world) {
	s := w.hold(t)
	_, err := w.open(t).Hold(t.Context())
	var held *store.LockedError
	if !errors.As(err, &held) || held.Operation != "test" {
		t.Fatalf("the second Hold: %v", err)
	}
	if !strings.Contains(hint.Of(err), "clusterup unlock locked") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %q, hint %q", err, hint.Of(err))
	}
	s.Close()
	w.mustRun(t)
}

// A lock.json that somebody deleted does not make every later run look like an
// old one: its number goes on above the one of the current release.
func lockDeleted(t *testing.T, w *world) {
	w.mustRun(t)
	w.mustRun(t)
	first := w.current(t)
	if err := w.bucket.Delete(t.Context(), store.LockKey); err != nil {
		t.Fatal(err)
	}
	w.level = "debug"
	w.writeEnvironment(t)
	w.mustRun(t)
	if w.current(t) == first {
		t.Error("the release was not promoted")
	}
}

// A run that loses its lock in the middle stops: what it applied stays for the
// next one, and the pointer is not moved.
func lost(t *testing.T, w *world) {
	w.mustRun(t)
	first := w.current(t)
	w.level = "debug"
	w.writeEnvironment(t)
	thief, err := w.open(t).Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = w.run(t, w.hold(t), func(e converge.Event) {
		if e.Step == "demo/apply" && e.Kind == converge.Done {
			if said, err := thief.Unlock(t.Context()); err != nil || !strings.Contains(said, "took the lock of lost") {
				t.Errorf("unlock: %q, %v", said, err)
			}
		}
	})
	if !errors.Is(err, store.ErrLost) || hint.Of(err) == "" {
		t.Errorf("the run that lost its lock ended with %v", err)
	}
	if w.current(t) != first {
		t.Error("a run without the lock moved the pointer")
	}
	w.mustRun(t)
	if w.current(t) == first {
		t.Error("the next run did not finish")
	}
}

// Another cluster under the same environment is refused by name, whatever is
// asked for, and nothing is changed on either, nor in the bucket.
func otherCluster(t *testing.T, w *world) {
	w.manifest(t, "demo", "extra", configMap("extra"))
	w.mustRun(t)
	before, keys := w.metas(t), w.things(t)
	bound := w.kubeconfig
	w.kubeconfig = testservers.APIServer(t)
	other := clientOf(t, w.kubeconfig)
	w.removeManifest(t, "demo", "extra")
	w.level = "debug"
	w.writeEnvironment(t)

	ours := clusterUID(t, w.client)
	for _, only := range []string{"", prune, "demo"} {
		s := w.hold(t)
		planned, err := w.plan(s.Context(), s, only)
		s.Close()
		if err == nil || len(planned) > 0 || strings.Contains(err.Error(), "\n") {
			t.Fatalf("only %q: %v, %d plans", only, err, len(planned))
		}
		for _, uid := range []string{ours, clusterUID(t, other)} {
			if !strings.Contains(err.Error(), uid) {
				t.Errorf("%q does not name cluster %s", err, uid)
			}
		}
		if hint.Of(err) == "" {
			t.Error("there is no hint")
		}
	}
	s := w.hold(t)
	if _, err := s.Destroy(s.Context(), true, nil); err == nil {
		t.Error("destroy went on on another cluster")
	}
	s.Close()
	if got := namespaces(t, other); slices.Contains(got, w.namespace()) {
		t.Errorf("the other cluster has %v", got)
	}
	if after := w.things(t); !slices.Equal(keys, after) {
		t.Errorf("the bucket had %v and has %v", keys, after)
	}
	w.kubeconfig = bound
	for kind, meta := range w.metas(t) {
		if meta.ResourceVersion != before[kind].ResourceVersion {
			t.Errorf("the %s was written", kind)
		}
	}
	if !w.has(t, "extra") {
		t.Error("the environment's own cluster was pruned")
	}
}
