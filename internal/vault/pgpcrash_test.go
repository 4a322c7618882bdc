// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// testPGPCrashes kills a first deal at every other write to the bucket and at a few to Vault; with
// CLUSTERUP_CRASH=all before and after each, at every write to Vault, and at every write to the
// bucket of the steps before it. The next run ends with shares that open a restarted
// Vault, and without the throwaway one.
func testPGPCrashes(t *testing.T, g *ground) {
	all := os.Getenv("CLUSTERUP_CRASH") == "all"
	ends := map[string]int{}
	w := g.withPGP(t, 1)
	w.runTo(t, DealStep)
	puts, writes := w.counted(t)
	t.Logf("a deal has %d writes to the bucket and %d to Vault", puts, writes)
	var places []string
	for n := 1; n <= puts; n++ {
		if !all && n%2 == 0 {
			continue
		}
		places = append(places, fmt.Sprintf("before %d", n))
		if all {
			places = append(places, fmt.Sprintf("after %d", n))
		}
	}
	step := max(writes/3, 1)
	if all {
		step = 1
	}
	for n := writes; n > 0; n -= step {
		places = append(places, fmt.Sprintf("wire %d", n))
	}
	for i, where := range places {
		t.Run(where, func(t *testing.T) {
			w := g.withPGP(t, 1)
			w.runTo(t, DealStep)
			if killed, out := w.killAt(t, where); !killed && !strings.HasPrefix(where, "wire") {
				t.Fatalf("the run was not killed\n%s", out)
			}
			ends[w.stands(t)]++
			if i%3 == 0 && !w.holdersHave(t) { // Vault may be restarted meanwhile, while whoever runs can open it
				w.restart()
			}
			w.mustGoOn(t)
		})
	}
	t.Logf("%d kills: %v", len(places), ends)
	if !all {
		return
	}
	from, _ := g.withPGP(t, 1).counted(t)
	refused := 0
	for n := 1; n <= from-puts; n++ {
		t.Run(fmt.Sprintf("from nothing before %d", n), func(t *testing.T) {
			w := g.withPGP(t, 1)
			if killed, out := w.killAt(t, fmt.Sprintf("before %d", n)); !killed {
				t.Fatalf("the run was not killed\n%s", out)
			}
			if w.initialisedWithoutAnswer(t) {
				refused++
				return // testCrashes proves what is said then
			}
			w.mustGoOn(t)
		})
	}
	if refused != 1 {
		t.Errorf("%d kills fell between init and its answer being kept", refused)
	}
}

// counted lets a run of another process end, and counts its writes.
func (w *world) counted(t *testing.T) (puts, writes int) {
	t.Helper()
	_, said := w.killAt(t, "before 0")
	if _, err := fmt.Sscanf(said, "%d puts, %d writes", &puts, &writes); err != nil {
		t.Fatalf("%q: %v", said, err)
	}
	return puts, writes
}

// stands says how far a deal got.
func (w *world) stands(t *testing.T) string {
	t.Helper()
	j := w.journal(t)
	if _, undecided := j.Undecided(); undecided {
		return "undecided"
	}
	if j.Provisional() {
		return "not begun"
	}
	return "live"
}

// mustGoOn runs once more, and proves that the holders' shares open Vault after a restart.
func (w *world) mustGoOn(t *testing.T) {
	t.Helper()
	if _, err := run(t.Context(), w.open(t)); err != nil {
		t.Fatalf("the run after the kill: %v", err)
	}
	w.mustServe(t)
	w.mustBeTidy(t)
	opened := w.openedPGP(t)
	w.mustHide(t, opened, map[string]string{})
	w.restart()
	v := w.open(t)
	if err := v.Unseal(t.Context(), w.handOf(t, v, opened["bob-1"], opened["carol-1"])); err != nil {
		t.Fatal(err)
	}
	w.mustServe(t)
}

// holdersHave looks from outside whether Vault takes other shares than the throwaway one.
func (w *world) holdersHave(t *testing.T) bool {
	t.Helper()
	status, err := w.activePeer(t).sealStatus(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return status.Shares == 3
}
