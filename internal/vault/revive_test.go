// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
)

// testRevive takes all volumes from three replicas and brings a snapshot back into empty
// ones, which the shares of its day open: after a rekey, and after a run that ended before
// it had stored anything; in the long loop also after runs that ended further on.
func testRevive(t *testing.T, g *ground) {
	w := g.newWorldOn(t, 3, func(w *world) { w.Raft = true })
	w.mustRun(t)
	var archive bytes.Buffer
	taken, err := w.open(t).Snapshot(t.Context(), &archive)
	if err != nil {
		t.Fatal(err)
	}
	lose := func() {
		t.Helper()
		for n, s := range w.servers {
			s.Kill()
			if err := os.RemoveAll(w.data(n)); err != nil {
				t.Fatal(err)
			}
		}
		for n := range w.servers {
			w.start(t, n)
		}
	}
	lost := func(want bool) {
		t.Helper()
		if got, err := w.open(t).Lost(t.Context()); err != nil || got != want {
			t.Fatalf("lost: %v, %v", got, err)
		}
	}
	hand := func() *custody.Hand {
		t.Helper()
		h, err := w.open(t).HandFor(t.Context(), taken.Proof)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	revive := func() error {
		t.Helper()
		start := time.Now()
		have, err := w.open(t).Revive(t.Context(), hand(), archive.Bytes(), taken.Proof)
		t.Logf("brought back in %s: %v", time.Since(start).Round(time.Millisecond), err)
		if err == nil && len(have.Missing) > 0 {
			t.Errorf("missing: %q", have.Missing)
		}
		return err
	}
	whole := func() {
		t.Helper()
		lost(false)
		w.mustRun(t)
		w.mustServe(t)
		if keys, err := w.open(t).Keys(t.Context()); err != nil || keys.Init != taken.Proof.Shares {
			t.Errorf("%+v, %v", keys, err)
		}
	}
	standIn := func() (*Vault, custody.Journal, *custody.Answer) {
		t.Helper()
		v := w.open(t)
		escrow, j, err := v.dealt(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		set, stand, err := v.standIn(t.Context(), escrow, j, hand().Journal())
		if err != nil {
			t.Fatal(err)
		}
		return v, set, stand
	}

	lost(false)
	if err := revive(); err == nil || hint.Of(err) == "" {
		t.Errorf("a Vault that serves was to be replaced: %v", err)
	}
	t.Run("of a rekey before, too", func(t *testing.T) {
		w.Threshold = 3
		if err := rekey(t.Context(), w.open(t)); err != nil {
			t.Fatal(err)
		}
		lose()
		if _, err := run(t.Context(), w.open(t)); !errors.Is(err, ErrGone) || !strings.Contains(hint.Of(err), "vault restore") {
			t.Errorf("%v, hint %q", err, hint.Of(err))
		}
		lost(true)
		if err := revive(); err != nil {
			t.Fatal(err)
		}
		w.Threshold = 2
		whole()
		w.mustHaveVoters(t, 3)
		w.restart()
		w.mustRun(t) // with the shares of that day
		w.mustServe(t)
	})
	t.Run("after a run that ended before it had stored anything", func(t *testing.T) {
		lose()
		v := w.open(t)
		escrow, j, err := v.dealt(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := escrow.IntendStandIn(t.Context(), j, 3, 2); err != nil {
			t.Fatal(err)
		}
		w.initByHand(t)
		if err := revive(); err == nil || !strings.Contains(err.Error(), "cut off before it had stored") || hint.Of(err) == "" {
			t.Errorf("%v, hint %q", err, hint.Of(err))
		}
		lose()
		if err := revive(); err != nil {
			t.Fatal(err)
		}
		whole()
	})
	if os.Getenv("CLUSTERUP_CRASH") != "all" {
		return
	}
	t.Run("after a run that ended before the snapshot was sent", func(t *testing.T) {
		lose()
		standIn()
		lost(true)
		if err := revive(); err != nil {
			t.Fatal(err)
		}
		whole()
	})
	t.Run("after a run that ended once it was sent", func(t *testing.T) {
		lose()
		v, _, stand := standIn()
		if err := v.replaceStandIn(t.Context(), stand, hand(), archive.Bytes()); err != nil {
			t.Fatal(err)
		}
		lost, err := w.open(t).Lost(t.Context()) // or it is there already, which the next line finds out
		if err != nil {
			t.Fatal(err)
		}
		if err := revive(); lost && err != nil {
			t.Fatal(err)
		}
		whole()
	})
}
