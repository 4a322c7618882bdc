// SPDX-License-Identifier: Apache-2.0

package custody

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

// pgpHolder is somebody new with a PGP key, and seal what Vault does for them.
func pgpHolder(t *testing.T, name string, shares int) (h Holder, seal func(share string) []byte) {
	t.Helper()
	e, err := openpgp.NewEntity(name, "", "", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Curve: packet.Curve25519})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := e.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	key, err := secret.ParsePGP(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return Holder{Name: name, PGP: key, Shares: shares}, func(share string) []byte {
		var sealed bytes.Buffer
		w, err := openpgp.Encrypt(&sealed, []*openpgp.Entity{e}, nil, nil, nil)
		if err == nil {
			_, err = w.Write([]byte(share))
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		return sealed.Bytes()
	}
}

// TestPGPJournal goes through a first deal to PGP keys: what counts at each point, and
// that the throwaway share goes last.
func TestPGPJournal(t *testing.T) {
	p := newPeople(t, "alice")
	runner := p.holder("alice", 1)
	runner.Throwaway = true
	e, init := dealt(t, p, 1, runner)
	ctx := t.Context()
	bob, sealBob := pgpHolder(t, "bob", 2)
	carol, sealCarol := pgpHolder(t, "carol", 1)
	read := func(provisional, undecided, leftover bool) Journal {
		t.Helper()
		j, err := e.Read(ctx)
		if err != nil || j.Nonce != init.Nonce || !j.Throwaway {
			t.Fatalf("%+v, %v", j, err)
		}
		_, un := j.Undecided()
		if _, left := j.Leftover(); j.Provisional() != provisional || un != undecided || left != leftover {
			t.Errorf("provisional %v, undecided %v, leftover %v", j.Provisional(), un, left)
		}
		return j
	}
	set, err := e.IntendRekey(ctx, read(true, false, false), []Holder{bob, carol}, 2)
	if err != nil || !set.PGP() {
		t.Fatal(set, err)
	}
	read(true, false, false) // an intent alone is nothing
	if set, err = e.Asking(ctx, set, "name-of-the-attempt"); err != nil {
		t.Fatal(err)
	}
	j := read(true, true, false)
	if asked, _ := j.Undecided(); asked.Attempt != "name-of-the-attempt" || asked.Shares["bob"] != 2 || !asked.PGP() {
		t.Errorf("%+v", asked)
	}
	hand, err := e.Collect(ctx, set) // before anything of it is stored, its holders are known
	var need *NeedHolders
	if err != nil || !errors.As(hand.Enough(), &need) || !slices.Equal(need.Names, []string{"bob", "carol"}) {
		t.Errorf("%v, %v", need, err)
	}
	if err := e.Discard(ctx, j); err != nil {
		t.Fatal(err)
	}
	if opened, err := e.Open(ctx, j); err != nil || len(opened) != 1 {
		t.Fatalf("the throwaway share is gone before there are others: %v", err)
	}
	messages := map[string][][]byte{bob.PGP.Fingerprint(): {sealBob("b1"), sealBob("b2")}}
	if _, err := e.SealedByVault(set, messages); err == nil || !strings.Contains(err.Error(), "carol") {
		t.Errorf("%v", err)
	}
	messages[carol.PGP.Fingerprint()] = [][]byte{[]byte("c1 in clear")}
	if _, err := e.SealedByVault(set, messages); err == nil || strings.Contains(err.Error(), "clear") {
		t.Errorf("%v", err)
	}
	messages[carol.PGP.Fingerprint()] = [][]byte{sealCarol("c1")}
	sealed, err := e.SealedByVault(set, messages)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // from Vault's answer, and again from its backup
		if err := e.Keep(ctx, sealed); err != nil {
			t.Fatal(err)
		}
	}
	read(true, true, false)
	if _, err := e.Settle(ctx, set); err != nil {
		t.Fatal(err)
	}
	j = read(false, false, true)
	if err := e.Bucket.Delete(ctx, "keys/"+set.Nonce+"/bob-2.gpg"); err != nil {
		t.Fatal(err)
	}
	if err := e.Discard(ctx, j); err == nil || !strings.Contains(err.Error(), "1 of the 2 key shares of bob") {
		t.Errorf("the throwaway share goes while others are missing: %v", err)
	}
	if err := e.hand(ctx, set); err != nil {
		t.Fatal(err)
	}
	if err := e.Discard(ctx, j); err != nil {
		t.Fatal(err)
	}
	if err := e.Forget(ctx, j.Shareholding()); err != nil {
		t.Fatal(err)
	}
	j = read(false, false, false)
	if counts, err := counted(ctx, e, j.Shareholding()); err != nil || fmt.Sprint(counts) != "map[bob:2 carol:1]" {
		t.Errorf("%v, %v", counts, err)
	}
	if entries, err := e.Bucket.List(ctx, "keys/"+init.Nonce+"/"); err != nil || len(entries) > 0 {
		t.Errorf("%v is left, %v", entries, err)
	}
	if _, err := e.Verify(ctx, j.Shareholding()); err == nil || !strings.Contains(hint.Of(err), "gpg -d") {
		t.Errorf("%v", err)
	}
}

// TestNamedShares proves that nobody's share is recorded as another's once it is known.
func TestNamedShares(t *testing.T) {
	p := newPeople(t, "alice")
	runner := p.holder("alice", 1)
	runner.Throwaway = true
	e, init := dealt(t, p, 1, runner)
	ctx := t.Context()
	bob, sealBob := pgpHolder(t, "bob", 1)
	carol, sealCarol := pgpHolder(t, "carol", 1)
	dave, sealDave := pgpHolder(t, "dave", 1)
	j, err := e.Read(ctx)
	if err != nil || j.Nonce != init.Nonce {
		t.Fatal(err)
	}
	set, err := e.IntendRekey(ctx, j, []Holder{bob, carol, dave}, 2)
	if err == nil {
		set, err = e.Asking(ctx, set, "a")
	}
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := e.SealedByVault(set, map[string][][]byte{bob.PGP.Fingerprint(): {sealBob("b")}, carol.PGP.Fingerprint(): {sealCarol("c")}, dave.PGP.Fingerprint(): {sealDave("d")}})
	if err == nil {
		err = e.Keep(ctx, sealed)
	}
	if err == nil {
		set, err = e.Settle(ctx, set)
	}
	if err != nil {
		t.Fatal(err)
	}
	text := func(name string) []byte { return fmt.Appendf(nil, "%x", "the-opened-share-of-"+name) }
	collect := func() *Hand {
		t.Helper()
		h, err := e.Collect(ctx, set)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	h := collect()
	if whose, _, err := h.Add(ctx, text("bob")); err != nil || whose != unknown || !h.Unnamed() || !slices.Equal(h.Whose(), []string{"bob", "carol", "dave"}) {
		t.Fatal(whose, err, h.Whose())
	}
	if err := h.Name("eve"); err == nil {
		t.Error("eve holds none")
	}
	if err := h.Name("bob"); err != nil || h.Unnamed() {
		t.Error(err)
	}
	if _, _, err := h.Named(ctx, "bob", text("carol")); err == nil || h.Missing() != 1 {
		t.Errorf("bob has two: %v", err)
	}
	if _, _, err := h.Add(ctx, text("carol")); err != nil { // nobody says whose
		t.Fatal(err)
	}
	if names, err := h.Partook(ctx, "unseal"); err != nil || !slices.Equal(names, []string{"bob"}) {
		t.Errorf("%v, %v", names, err) // the other may be carol's or dave's
	}
	h = collect()
	if whose, _, err := h.Named(ctx, "carol", text("bob")); err == nil || whose != "" || len(h.Shares()) != 0 {
		t.Errorf("bob's share is carol's now: %s, %v", whose, err)
	}
	if whose, _, err := h.Named(ctx, "carol", text("carol")); err != nil || whose != "carol" {
		t.Errorf("%s, %v", whose, err)
	}
	if err := h.Enough(); err == nil || !strings.Contains(err.Error(), "bob, dave") {
		t.Errorf("%v", err)
	}
	if whose, _, err := h.Add(ctx, text("dave")); err != nil || whose != unknown {
		t.Fatal(whose, err)
	}
	if names, err := h.Partook(ctx, "generate-root"); err != nil || !slices.Equal(names, []string{"carol", "dave"}) {
		t.Errorf("%v, %v", names, err) // only dave is left
	}
	shares, err := e.Register(ctx, set)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range shares {
		if s.Confirmed.IsZero() || s.Problem != "" || !s.Receipt {
			t.Errorf("%+v", s)
		}
	}
	if _, _, err := collect().Add(ctx, text("mallory")); err == nil {
		t.Error("a share of nobody's is taken")
	}
}
