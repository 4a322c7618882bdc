// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"errors"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/custody"
)

// testPGPRecovery has another Vault open this one: then what Vault seals to PGP keys are
// recovery keys. One answer is lost on the way.
func testPGPRecovery(t *testing.T, g *ground) {
	other := startTransit(t)
	w := g.newWorldOn(t, 1, func(w *world) { w.Transit = other }).withPGP(t)
	w.runTo(t, DealStep)
	thrown := mustHand(t, w.open(t))
	p := w.tap(t)
	p.lose = func(_ int, asked string) bool {
		p.deaf = p.deaf || asked == "PUT sys/rekey-recovery-key/update"
		return p.deaf
	}
	deaf := p.open(t)
	deaf.cfg.Timeout = time.Second
	if _, err := run(t.Context(), deaf); err == nil {
		t.Fatal("nothing was heard, and it went well")
	}
	if _, undecided := w.journal(t).Undecided(); !undecided {
		t.Error("it is not undecided")
	}
	w.restart() // needs nobody
	w.mustRun(t)
	w.mustServe(t)
	w.mustBeTidy(t)
	v := w.open(t)
	if err := v.WithRoot(t.Context(), thrown, Emergency{TTL: time.Minute}, nop); err == nil {
		t.Error("the throwaway recovery key makes a root token")
	}
	for range 2 { // and again, with what that dealt
		opened := w.openedPGP(t)
		if err := v.WithRoot(t.Context(), w.handOf(t, v, opened["bob-1"], opened["carol-1"]), Emergency{TTL: time.Minute}, nop); err != nil {
			t.Fatal(err)
		}
		if done, err := v.Rekey(t.Context(), w.handOf(t, v, opened["bob-1"], opened["bob-2"]), false); err != nil || done {
			t.Fatal(done, err)
		}
		w.mustBeTidy(t)
	}
}

// testPGPRaft is a deal on raft, where every replica keeps the data, and a restart.
func testPGPRaft(t *testing.T, g *ground) {
	w := g.newWorldOn(t, 3, func(w *world) { w.Raft = true }).withPGP(t)
	w.mustRun(t)
	w.mustServe(t)
	w.mustBeTidy(t)
	opened := w.openedPGP(t)
	w.restart()
	var need *custody.NeedHolders
	if _, err := run(t.Context(), w.open(t)); !errors.As(err, &need) {
		t.Errorf("%v", err)
	}
	v := w.open(t)
	if err := v.Unseal(t.Context(), w.handOf(t, v, opened["bob-2"], opened["carol-1"])); err != nil {
		t.Fatal(err)
	}
	w.mustServe(t)
}
