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
		for _, entry := range w.bucket().keys(t) {
			if strings.HasSuffix(entry, answerSuffix) {
				t.Errorf("%s is left in the bucket", entry)
			}
		}
	}
	// begin does what a run does that ends before it sends the snapshot, or right after it.
	begin := func(send bool) {
		t.Helper()
		v := w.open(t)
		escrow, j, err := v.dealt(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		set, stand, err := v.standIn(t.Context(), escrow, j, hand())
		if err == nil && send {
			_, err = v.replaceStandIn(t.Context(), escrow, set, stand, hand(), archive.Bytes())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	refused := func() {
		t.Helper()
		if _, err := run(t.Context(), w.open(t)); err == nil || !strings.Contains(err.Error(), "was cut off") || !strings.Contains(hint.Of(err), "vault restore") {
			t.Errorf("a run goes on with a stand-in: %v, hint %q", err, hint.Of(err))
		}
	}
	deal := func() { // another set than the snapshot's
		t.Helper()
		w.Threshold = 3
		if err := rekey(t.Context(), w.open(t)); err != nil {
			t.Fatal(err)
		}
	}

	lost(false)
	if err := revive(); !errors.Is(err, errHolds) || hint.Of(err) == "" {
		t.Errorf("a Vault that serves was to be replaced: %v", err)
	}
	w.mustServe(t)
	t.Run("volumes that were brought back are left as they are", func(t *testing.T) {
		v := w.open(t)
		escrow, j, err := v.dealt(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := escrow.IntendStandIn(t.Context(), j, 3, 2); err != nil { // and no more of it
			t.Fatal(err)
		}
		w.restart()
		lost(true) // as far as is known
		if err := revive(); !errors.Is(err, errHolds) {
			t.Errorf("%v", err)
		}
		lost(false)
		w.mustRun(t)
		w.mustServe(t)
	})
	t.Run("of a rekey before, too", func(t *testing.T) {
		deal()
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
		deal()
		lose()
		begin(false)
		lost(true)
		refused()
		if err := revive(); err != nil {
			t.Fatal(err)
		}
		w.Threshold = 2
		whole()
	})
	t.Run("after a run that ended once it was sent", func(t *testing.T) {
		deal()
		lose()
		begin(true)
		w.Threshold = 2
		if lost, err := w.open(t).Lost(t.Context()); err != nil || !lost {
			t.Fatalf("vault-0 is sealed or takes the stand-in's token: %v, %v", lost, err)
		}
		if err := revive(); err != nil {
			t.Fatal(err)
		}
		whole()
	})
}
