// SPDX-License-Identifier: Apache-2.0

package custody

import (
	"fmt"
	"strings"
	"testing"

	"clusterup.dev/clusterup/internal/secret"
)

// TestRekeyJournal proves which shares count at each point of a rekey: those of
// before until it is recorded that the new ones are live, and that both are known
// in between.
func TestRekeyJournal(t *testing.T) {
	p := newPeople(t, "alice", "bob")
	e, init := dealt(t, p, 2, p.holder("alice", 3))
	ctx := t.Context()
	read := func(shareholding string, undecided bool) Journal {
		t.Helper()
		j, err := e.Read(ctx)
		if err != nil || j.Nonce != init.Nonce || j.State != Stored {
			t.Fatalf("%+v, %v", j, err)
		}
		if _, is := j.Undecided(); is != undecided || j.Shareholding().Nonce != shareholding {
			t.Errorf("%s opens Vault, undecided %v; want %s, %v", j.Shareholding().Nonce, is, shareholding, undecided)
		}
		return j
	}
	holders := []Holder{p.holder("alice", 1), p.holder("bob", 1)}
	deal := func(opening string) Journal {
		t.Helper()
		j := read(opening, false)
		set, err := e.IntendRekey(ctx, j, holders, 2)
		if err != nil || set.Nonce <= j.Nonce {
			t.Fatalf("%+v, %v", set, err)
		}
		again, err := e.IntendRekey(ctx, read(opening, false), holders, 2) // the first one got nowhere
		if err != nil || again.Nonce <= set.Nonce {
			t.Fatalf("%s after %s, %v", again.Nonce, set.Nonce, err)
		}
		sealed, err := e.SealAnswer(again, holders, &Answer{Shares: []secret.Value{secret.NewString("new-share-of-alice"), secret.NewString("new-share-of-bob-")}})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Keep(ctx, sealed); err != nil {
			t.Fatal(err)
		}
		read(opening, false)
		if again, err = e.Deal(ctx, again); err != nil {
			t.Fatal(err)
		}
		read(opening, true)
		return again
	}
	set := deal(init.Nonce)
	if _, err := e.Record(ctx, set, Dropped); err != nil {
		t.Fatal(err)
	}
	set = deal(init.Nonce)
	if _, err := e.Record(ctx, set, Live); err != nil {
		t.Fatal(err)
	}
	j := read(set.Nonce, false)
	if now := j.Shareholding(); now.Threshold != 2 || fmt.Sprint(now.Shares) != "map[alice:1 bob:1]" || now.Keys["bob"] != p["bob"].Public() {
		t.Errorf("%+v", now)
	}
	if counts, err := counted(ctx, e, j.Shareholding()); err != nil || fmt.Sprint(counts) != "map[alice:1 bob:1]" {
		t.Errorf("%v, %v", counts, err)
	}
	if counts, err := counted(ctx, e, j); err != nil || counts["alice"] != 3 {
		t.Errorf("the shares of the init are not kept: %v, %v", counts, err)
	}
	if err := e.Forget(ctx, j.Shareholding()); err != nil {
		t.Fatal(err)
	}
	both := *e
	both.Identities = append(both.Identities, p["bob"])
	shares, err := both.Open(ctx, j.Shareholding())
	if err != nil || len(shares) != 2 || !strings.HasPrefix(string(shares[0].Reveal()), "new-share-of-") {
		t.Errorf("%d shares, %v", len(shares), err)
	}
	deal(set.Nonce) // and a rekey after a rekey
}
