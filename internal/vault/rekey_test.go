// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
)

// rekey deals new shares with whatever this Vault's identities open, and ends the
// attempt of a run that was killed.
func rekey(ctx context.Context, v *Vault) error {
	h, err := v.Hand(ctx)
	if err != nil {
		return err
	}
	defer h.Wipe()
	_, err = v.Rekey(ctx, h, true)
	return err
}

// testRekey gives the shares of one holder to three, and a share to each.
func testRekey(t *testing.T, g *ground) {
	w := g.newWorld(t, 1)
	if _, err := run(t.Context(), w.open(t)); err != nil {
		t.Fatal(err)
	}
	before := w.as(t, "alice")
	old := mustHand(t, before)
	w.Holders, w.Threshold = []HolderRef{{"alice", 1}, {"bob", 1}, {"carol", 1}}, 3
	v := w.as(t, "alice")
	if _, err := run(t.Context(), w.open(t)); !errors.Is(err, ErrHolders) || !strings.Contains(hint.Of(err), "vault rekey") {
		t.Errorf("%v (hint %q)", err, hint.Of(err))
	}
	t.Run("somebody else's is left alone", func(t *testing.T) {
		active := w.activePeer(t)
		a, err := active.newShares(t.Context(), mustHand(t, v), 2, 2, false)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Rekey(t.Context(), mustHand(t, v), false); !errors.Is(err, ErrOtherRekey) || hint.Of(err) == "" {
			t.Errorf("%v", err)
		}
		if err := active.cancelRekey(t.Context(), a.Nonce); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("wrong shares", func(t *testing.T) {
		if taken, err := w.activePeer(t).takes(t.Context(), &custody.Hand{}, false); err != nil || taken {
			t.Errorf("no share at all: %v, %v", taken, err)
		}
		if taken, err := w.activePeer(t).takes(t.Context(), mustHand(t, v), false); err != nil || !taken {
			t.Errorf("the right shares: %v, %v", taken, err)
		}
	})
	if done, err := v.Rekey(t.Context(), mustHand(t, v), false); err != nil || done {
		t.Fatal(done, err)
	}
	keys, err := v.Keys(t.Context())
	if err != nil || keys.Threshold != 3 || len(keys.Shares) != 3 || !keys.Shares[2].Receipt || keys.Shares[2].Holder != "carol" {
		t.Fatalf("%+v, %v", keys, err)
	}
	for _, name := range []string{"alice", "bob", "carol"} {
		if verified, err := w.as(t, name).VerifyShares(t.Context()); err != nil || len(verified) != 1 {
			t.Errorf("%s: %+v, %v", name, verified, err)
		}
	}
	if taken, err := w.activePeer(t).takes(t.Context(), old, false); err != nil || taken {
		t.Errorf("the old shares are still taken: %v, %v", taken, err)
	}
	w.restart()
	if err := v.Unseal(t.Context(), old); !errors.Is(err, errNotTaken) || hint.Of(err) == "" {
		t.Errorf("the old shares still open it: %v", err)
	}
	var need *custody.NeedHolders
	if _, err := run(t.Context(), w.open(t)); !errors.As(err, &need) || strings.Join(need.Names, ",") != "bob,carol" {
		t.Errorf("%v", err)
	}
	all := w.as(t, "alice", "bob", "carol")
	if err := all.Unseal(t.Context(), mustHand(t, all)); err != nil {
		t.Fatal(err)
	}
	w.mustServe(t)
	for _, key := range w.bucket().keys(t) {
		if strings.HasSuffix(key, answerSuffix) {
			t.Errorf("%s is left", key)
		}
	}
}

// testBroughtBack rekeys, brings the storage back to before that, and then to after
// it: each time the shares of that day open it.
func testBroughtBack(t *testing.T, g *ground) {
	w := g.newWorld(t, 1)
	w.mustRun(t)
	b := w.beneath(t)
	w.stop()
	before := b.copy(t)
	w.restart()
	w.mustRun(t)
	if err := rekey(t.Context(), w.open(t)); err != nil {
		t.Fatal(err)
	}
	w.stop()
	after := b.copy(t)
	for _, brought := range []struct {
		what  string
		to    api.KVPairs
		again bool // by hand
	}{{"before the rekey", before, false}, {"after it", after, false}, {"before it, by hand", before, true}} {
		b.restore(t, brought.to)
		w.restart()
		if brought.again {
			v := w.open(t)
			h, err := v.EarlierHand(t.Context(), 1)
			if err != nil {
				t.Fatal(err)
			}
			if err := v.Unseal(t.Context(), h); err != nil {
				t.Fatalf("%s: %v", brought.what, err)
			}
			h.Wipe()
		}
		w.mustRun(t)
		w.mustServe(t)
		if taken, err := w.activePeer(t).takes(t.Context(), mustHand(t, w.open(t)), false); err != nil || !taken {
			t.Errorf("%s: what the journal says is not what Vault takes: %v, %v", brought.what, taken, err)
		}
		w.stop()
	}
}

// testRekeyCrashes kills a rekey at every write to the bucket and around the write to
// Vault that makes the new shares count; with CLUSTERUP_CRASH=all also after every
// write to the bucket and at every one to Vault. Afterwards one set of shares opens Vault after a restart, a run
// finds out which, and the next rekey works.
func testRekeyCrashes(t *testing.T, g *ground) {
	whole := g.newWorld(t, 1)
	if _, err := run(t.Context(), whole.open(t)); err != nil {
		t.Fatal(err)
	}
	whole.Rekey = true
	_, said := whole.killAt(t, "before 0")
	var puts, writes int
	if _, err := fmt.Sscanf(said, "%d puts, %d writes", &puts, &writes); err != nil {
		t.Fatalf("%q: %v", said, err)
	}
	t.Logf("a whole rekey has %d writes to the bucket and %d to Vault", puts, writes)
	all := os.Getenv("CLUSTERUP_CRASH") == "all"
	var places []string
	for n := 1; n <= puts; n++ {
		places = append(places, fmt.Sprintf("before %d", n))
		if all {
			places = append(places, fmt.Sprintf("after %d", n))
		}
	}
	first := max(writes-4, 1) // around the verification, which comes last
	if all {
		first = 1
	}
	for n := first; n <= writes; n++ {
		places = append(places, fmt.Sprintf("wire %d", n))
	}
	ends := map[string]int{}
	w := g.newWorld(t, 1) // one for all: each rekey stands on what the last one left
	if _, err := run(t.Context(), w.open(t)); err != nil {
		t.Fatal(err)
	}
	for i, where := range places {
		t.Run(where, func(t *testing.T) {
			w.Rekey = true
			before := mustHand(t, w.open(t)).Journal().Nonce
			killed, out := w.killAt(t, where)
			if !killed && !strings.HasPrefix(where, "wire") {
				t.Fatalf("the rekey was not killed\n%s", out)
			}
			if i%2 == 0 { // decided by whoever unseals
				w.restart()
				if _, err := run(t.Context(), w.open(t)); err != nil {
					t.Fatalf("the run after the kill: %v", err)
				}
			}
			v := w.open(t)
			escrow, err := v.cfg.Escrow(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if j, err := escrow.Read(t.Context()); err != nil {
				t.Fatal(err)
			} else if _, undecided := j.Undecided(); undecided {
				if i%2 == 0 {
					t.Error("nobody decided")
				}
				ends["undecided"]++
			}
			if i%2 == 1 { // or by the next rekey
				if err := rekey(t.Context(), v); err != nil {
					t.Fatalf("the rekey after the kill: %v", err)
				}
			}
			if mustHand(t, v).Journal().Nonce == before {
				ends["old"]++
			} else {
				ends["new"]++
			}
			w.restart()
			if _, err := run(t.Context(), w.open(t)); err != nil {
				t.Fatalf("what is said to open it does not: %v", err)
			}
			w.mustServe(t)
		})
	}
	t.Logf("%d kills: %v", len(places), ends)
}

func (w *world) mustRun(t *testing.T) {
	t.Helper()
	if _, err := run(t.Context(), w.open(t)); err != nil {
		t.Fatal(err)
	}
}

// stop ends every replica; restart starts them.
func (w *world) stop() {
	for _, s := range w.servers {
		s.End()
	}
}
