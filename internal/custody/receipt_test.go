// SPDX-License-Identifier: Apache-2.0

package custody

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

// TestReceipts proves that every share gets a receipt, that a holder's proof
// matches it by a rule that anybody can follow, and that a proof is of one place
// of one init.
func TestReceipts(t *testing.T) {
	p := newPeople(t, "alice", "bob")
	e, j := dealt(t, p, 2, p.holder("alice", 2), p.holder("bob", 1))
	verified, err := e.Verify(t.Context(), j)
	if err != nil || len(verified) != 2 || verified[0].Holder != "alice" || verified[0].Before || verified[0].Confirmed.IsZero() {
		t.Fatalf("%+v, %v", verified, err)
	}
	objects := e.Bucket.(*memory).objects
	var kept struct {
		SHA256 string `json:"sha256"`
	}
	var shown struct {
		Proof string `json:"proof"`
	}
	for suffix, into := range map[string]any{receiptSuffix: &kept, confirmedSuffix: &shown} {
		if err := json.Unmarshal(objects[keysPrefix+j.Nonce+"/alice-1"+suffix], into); err != nil {
			t.Fatal(err)
		}
	}
	proof, err := hex.DecodeString(shown.Proof)
	if sum := sha256.Sum256(proof); err != nil || hex.EncodeToString(sum[:]) != kept.SHA256 {
		t.Errorf("SHA-256 of the proof is %x, the receipt says %s (%v)", sum, kept.SHA256, err)
	}
	if _, ok := objects[keysPrefix+j.Nonce+"/bob-1"+receiptSuffix]; !ok {
		t.Error("bob has no receipt")
	}
	share := secret.NewString("share-of-alice-number-1")
	here := place{nonce: j.Nonce, holder: "alice", n: 1}.prove(share)
	for _, other := range []place{{nonce: j.Nonce, holder: "alice", n: 2}, {nonce: j.Nonce, holder: "bob", n: 1}, {nonce: "other", holder: "alice", n: 1}} {
		if bytes.Equal(other.prove(share), here) {
			t.Errorf("the proof of %s is that of alice-1", other)
		}
	}
	again, err := e.Verify(t.Context(), j)
	if err != nil || len(again) != 2 || !again[0].Before || !again[0].Confirmed.Equal(verified[0].Confirmed) {
		t.Errorf("again: %+v, %v", again, err)
	}
}

// TestReceiptsShowNothing proves that no part of a share, in any form in which it
// could be written, is in what is kept beside it, and that two shares that differ
// in a bit have nothing in common there.
func TestReceiptsShowNothing(t *testing.T) {
	p := newPeople(t, "alice")
	e, j := dealt(t, p, 2, p.holder("alice", 3))
	if _, err := e.Verify(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 3; n++ {
		share := fmt.Appendf(nil, "share-of-alice-number-%d", n)
		for _, suffix := range []string{receiptSuffix, confirmedSuffix} {
			text := strings.ToLower(string(e.Bucket.(*memory).objects[keysPrefix+j.Nonce+fmt.Sprintf("/alice-%d", n)+suffix]))
			if text == "" {
				t.Fatalf("alice-%d%s is not there", n, suffix)
			}
			for _, form := range []string{string(share), hex.EncodeToString(share), strings.ToLower(base64.StdEncoding.EncodeToString(share))} {
				for at := 0; at+8 <= len(form); at++ {
					if strings.Contains(text, form[at:at+8]) {
						t.Errorf("%s of share %d is in %s", form[at:at+8], n, suffix)
					}
				}
			}
		}
	}
	a, b := secret.NewValue(bytes.Repeat([]byte{7}, 33)), secret.NewValue(append(bytes.Repeat([]byte{7}, 32), 6))
	at := place{nonce: "n", holder: "alice", n: 1}
	same := 0
	for i, x := range at.prove(a) {
		if x == at.prove(b)[i] {
			same++
		}
	}
	if same > 4 {
		t.Errorf("proofs of two shares have %d of 32 bytes in common", same)
	}
}

// TestVerifySpoiled proves that a share that was damaged, exchanged or sealed to
// another key is an error that says whose it is, that the others are confirmed all
// the same, and that nothing is recorded for it.
func TestVerifySpoiled(t *testing.T) {
	p := newPeople(t, "alice", "bob")
	reseal := func(t *testing.T, text, to string) []byte {
		t.Helper()
		sealed, err := secret.Seal([]byte(base64.StdEncoding.EncodeToString([]byte(text))), []secret.Recipient{p[to].Recipient()})
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	for name, spoil := range map[string]func(t *testing.T, was []byte) []byte{
		"a bit flipped":        func(_ *testing.T, was []byte) []byte { was[len(was)-3] ^= 1; return was },
		"cut short":            func(_ *testing.T, was []byte) []byte { return was[:len(was)/2] },
		"empty":                func(*testing.T, []byte) []byte { return nil },
		"another share":        func(t *testing.T, _ []byte) []byte { t.Helper(); return reseal(t, "share-of-alice-number-1", "alice") },
		"sealed to bob":        func(t *testing.T, _ []byte) []byte { t.Helper(); return reseal(t, "share-of-alice-number-2", "bob") },
		"no share in the seal": func(t *testing.T, _ []byte) []byte { t.Helper(); return reseal(t, "short", "alice") },
	} {
		t.Run(name, func(t *testing.T) {
			e, j := dealt(t, p, 2, p.holder("alice", 2), p.holder("bob", 1))
			key := keysPrefix + j.Nonce + "/alice-2"
			objects := e.Bucket.(*memory).objects
			objects[key+sealedSuffix] = spoil(t, objects[key+sealedSuffix])
			verified, err := e.Verify(t.Context(), j)
			if err == nil || !strings.Contains(err.Error(), "key share 2 of alice") || !strings.Contains(hint.Of(err), "alice") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v (hint %q)", err, hint.Of(err))
			}
			if len(verified) != 1 || verified[0].N != 1 {
				t.Errorf("confirmed %+v, want alice's first", verified)
			}
			if _, ok := objects[key+confirmedSuffix]; ok {
				t.Error("a spoiled share is confirmed")
			}
		})
	}
}

// TestVerifyOthers proves that who holds no share is told so, and that an init
// that an older version dealt is opened and said to have no receipts.
func TestVerifyOthers(t *testing.T) {
	p := newPeople(t, "alice", "mallory")
	e, j := dealt(t, p, 2, p.holder("alice", 2))
	other := *e
	other.Identities = []secret.Identity{p["mallory"]}
	if verified, err := other.Verify(t.Context(), j); err == nil || hint.Of(err) == "" || len(verified) > 0 {
		t.Errorf("%+v, %v", verified, err)
	}
	withoutReceipts(e)
	verified, err := e.Verify(t.Context(), j)
	if err != nil || len(verified) != 2 || !verified[0].Confirmed.IsZero() {
		t.Errorf("%+v, %v", verified, err)
	}
}

// withoutReceipts makes the bucket as an older version would have left it.
func withoutReceipts(e *Escrow) {
	maps.DeleteFunc(e.Bucket.(*memory).objects, func(key string, _ []byte) bool { return strings.HasSuffix(key, receiptSuffix) })
}

// TestDealWithoutReceipts proves that an answer that an older version kept is dealt.
func TestDealWithoutReceipts(t *testing.T) {
	p := newPeople(t, "alice")
	e, j := dealt(t, p, 2, p.holder("alice", 3))
	objects := e.Bucket.(*memory).objects
	withoutReceipts(e)
	delete(objects, recordKey(j.Nonce, 2, Stored))
	key := answerKey(j)
	var answer map[string]any
	if err := json.Unmarshal(objects[key], &answer); err != nil {
		t.Fatal(err)
	}
	for _, s := range answer["shares"].([]any) {
		delete(s.(map[string]any), "receipt")
	}
	var err error
	if objects[key], err = json.Marshal(answer); err != nil {
		t.Fatal(err)
	}
	again, err := e.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Deal(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	for key := range objects {
		if strings.HasSuffix(key, receiptSuffix) {
			t.Errorf("%s was made up", key)
		}
	}
}

// TestRegister proves that the list says who has what, that a confirmation counts
// only when it matches its receipt, and that what is missing is named.
func TestRegister(t *testing.T) {
	p := newPeople(t, "alice", "jo-ann")
	e, j := dealt(t, p, 2, p.holder("alice", 1), p.holder("jo-ann", 2))
	if _, err := e.Verify(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	objects := e.Bucket.(*memory).objects
	forged := keysPrefix + j.Nonce + "/jo-ann-1" + confirmedSuffix
	objects[forged] = []byte(`{"proof":"` + strings.Repeat("00", 32) + `","at":"2026-07-01T12:00:00Z"}`)
	for _, suffix := range []string{sealedSuffix, receiptSuffix} {
		delete(objects, keysPrefix+j.Nonce+"/jo-ann-2"+suffix)
	}
	objects[keysPrefix+j.Nonce+"/stray.txt"] = []byte("?")
	shares, err := e.Register(t.Context(), j)
	if err != nil || len(shares) != 3 {
		t.Fatalf("%+v, %v", shares, err)
	}
	alice, first, second := shares[0], shares[1], shares[2]
	if alice.Confirmed.IsZero() || alice.Key != p["alice"].Public() || !alice.Receipt || alice.Missing {
		t.Errorf("alice: %+v", alice)
	}
	if !first.Confirmed.IsZero() || !strings.Contains(first.Problem, "does not match") {
		t.Errorf("a forged confirmation counts: %+v", first)
	}
	if !second.Missing || second.Holder != "jo-ann" || second.N != 2 {
		t.Errorf("a missing share: %+v", second)
	}
	if counts, err := counted(t.Context(), e, j); err != nil || counts["jo-ann"] != 1 {
		t.Errorf("%v, %v", counts, err)
	}
}

// TestHand proves that shares that holders bring are recognised in each form that
// they may have, that none counts twice, and that a wrong one is refused.
func TestHand(t *testing.T) {
	p := newPeople(t, "alice", "bob", "carol")
	e, j := dealt(t, p, 3, p.holder("alice", 1), p.holder("bob", 1), p.holder("carol", 1))
	ctx := t.Context()
	h, err := e.Collect(ctx, j)
	if err != nil || h.Missing() != 2 {
		t.Fatalf("%v, %v missing", err, h.Missing())
	}
	bob := []byte("share-of-bob-number-1")
	must := func(data []byte, whose string, added bool) {
		t.Helper()
		got, is, err := h.Add(ctx, data)
		if err != nil || got != whose || is != added {
			t.Errorf("%s, added %v, %v; want %s, %v", got, is, err, whose, added)
		}
		if slices.ContainsFunc(data, func(b byte) bool { return b != 0 }) {
			t.Error("what was given is not wiped")
		}
	}
	must([]byte(hex.EncodeToString(bob)+"\n"), "bob", true)
	must([]byte(base64.StdEncoding.EncodeToString(bob)), "bob", false)
	must(bytes.Clone(e.Bucket.(*memory).objects[keysPrefix+j.Nonce+"/alice-1.age"]), "alice", false)
	var need *NeedHolders
	if err := h.Enough(); !errors.As(err, &need) || !slices.Equal(need.Names, []string{"carol"}) || !strings.HasPrefix(need.What, "1 more of the 3") {
		t.Errorf("%v", err)
	}
	for _, wrong := range [][]byte{
		[]byte(hex.EncodeToString([]byte("share-of-bob-number-2"))), nil, []byte("no share at all!!"), []byte("YWJj"),
		bytes.Clone(e.Bucket.(*memory).objects[keysPrefix+j.Nonce+"/carol-1.age"]),
	} {
		text := string(wrong)
		if _, _, err := h.Add(ctx, wrong); err == nil || hint.Of(err) == "" || len(text) > 4 && strings.Contains(err.Error(), text[:5]) {
			t.Errorf("%v (hint %q)", err, hint.Of(err))
		}
	}
	must([]byte(base64.StdEncoding.EncodeToString([]byte("share-of-carol-number-1"))), "carol", true)
	if err := h.Enough(); err != nil || len(h.Shares()) != 3 {
		t.Errorf("%d shares, %v", len(h.Shares()), err)
	}
	shares := h.Shares()
	h.Wipe()
	for _, s := range shares {
		if strings.Trim(string(s.Reveal()), "\x00") != "" {
			t.Error("a share is not wiped")
		}
	}

	withoutReceipts(e)
	if h, err = e.Collect(ctx, j); err != nil {
		t.Fatal(err)
	}
	must([]byte(hex.EncodeToString(bob)), "a holder", true)
	must([]byte(hex.EncodeToString(bob)), "a holder", false)
}

// TestOpenPastDamage proves that a damaged share is passed over while the others
// are enough, and named when they are not.
func TestOpenPastDamage(t *testing.T) {
	p := newPeople(t, "alice")
	e, j := dealt(t, p, 2, p.holder("alice", 3))
	objects := e.Bucket.(*memory).objects
	for n := 1; n <= 2; n++ {
		objects[keysPrefix+j.Nonce+fmt.Sprintf("/alice-%d.age", n)] = []byte("gone")
		shares, err := e.Open(t.Context(), j)
		if n == 1 && (err != nil || len(shares) != 2) {
			t.Fatalf("%d shares, %v", len(shares), err)
		}
		if n == 2 && (err == nil || !strings.Contains(err.Error(), "alice-") || strings.Contains(err.Error(), "\n")) {
			t.Fatalf("%v", err)
		}
	}
}
