// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
)

// testPGPLost loses every answer of a rekey in turn, once so that the run itself can ask
// again and once so that only the next one can. Each time the next rekey finds out
// which shares count, and goes on.
func testPGPLost(t *testing.T, g *ground) {
	w := g.withPGP(t, 1)
	if _, err := run(t.Context(), w.open(t)); err != nil {
		t.Fatal(err)
	}
	rekeyed := func(v *Vault) (bool, error) {
		opened := w.openedPGP(t)
		return v.Rekey(t.Context(), w.handOf(t, v, opened["bob-1"], opened["carol-1"]), true)
	}
	p := w.tap(t)
	if _, err := rekeyed(p.open(t)); err != nil {
		t.Fatal(err)
	}
	asked := p.asked
	t.Logf("a rekey asks %d times: %s", len(asked), strings.Join(asked, ", "))
	ends := map[string]int{}
	for n := 1; n <= len(asked); n++ {
		for _, deaf := range []bool{false, true} {
			if deaf && os.Getenv("CLUSTERUP_CRASH") != "all" && !strings.Contains(asked[n-1], "sys/rekey/") {
				continue
			}
			t.Run(fmt.Sprintf("%d %s deaf %t", n, asked[n-1], deaf), func(t *testing.T) {
				before := w.journal(t).Shareholding().Nonce
				p := w.tap(t)
				p.lose = func(i int, _ string) bool {
					p.deaf = p.deaf || deaf && i == n
					return i == n
				}
				v := p.open(t)
				v.cfg.Timeout = time.Second
				_, err := rekeyed(v)
				if err == nil && deaf && n < len(asked) {
					t.Error("nothing was heard, and it went well")
				}
				j := w.journal(t)
				_, undecided := j.Undecided()
				if done, err := rekeyed(w.open(t)); err != nil {
					t.Fatalf("the rekey after it: %v", err)
				} else if done {
					ends["found to be live"]++
				} else if undecided {
					ends["found to be dropped"]++
				}
				if j.Shareholding().Nonce != before {
					ends["live"]++
				}
				w.mustBeTidy(t)
				opened := w.openedPGP(t)
				if taken, err := w.activePeer(t).takes(t.Context(), w.handOf(t, v, opened["bob-2"], opened["carol-1"]), false); err != nil || !taken {
					t.Errorf("what is said to open it does not: %v", err)
				}
			})
		}
	}
	t.Logf("%v", ends)
	if ends["found to be live"] == 0 || ends["found to be dropped"] == 0 || ends["live"] == 0 {
		t.Error("the test does not see every end")
	}
	w.restart()
	opened, v := w.openedPGP(t), w.open(t)
	if err := v.Unseal(t.Context(), w.handOf(t, v, opened["bob-1"], opened["carol-1"])); err != nil {
		t.Fatal(err)
	}
	w.mustServe(t)
}

// testPGPSealed is the worst that can happen to a deal: Vault carried it out, nobody heard
// of it, and Vault was sealed before anybody asked. The holders' shares are in its storage,
// sealed.
func testPGPSealed(t *testing.T, g *ground) {
	w := g.withPGP(t, 1)
	w.runTo(t, DealStep)
	p := w.tap(t)
	p.lose = func(_ int, asked string) bool {
		p.deaf = p.deaf || asked == "PUT sys/rekey/update"
		return p.deaf
	}
	v := p.open(t)
	v.cfg.Timeout = time.Second
	if _, err := run(t.Context(), v); err == nil || hint.Of(err) == "" || !strings.Contains(err.Error(), "not known") {
		t.Fatalf("%v (hint %q)", err, hint.Of(err))
	}
	if keys, err := w.open(t).Keys(t.Context()); err != nil || !keys.Provisional {
		t.Errorf("%+v, %v", keys, err)
	}
	w.restart()
	var need *custody.NeedHolders
	if _, err := run(t.Context(), w.open(t)); !errors.As(err, &need) || !slices.Equal(need.Names, []string{"bob", "carol"}) || !strings.Contains(hint.Of(err), "--new-shares") {
		t.Fatalf("%v (hint %q)", err, hint.Of(err))
	}
	opened := w.inStorage(t)
	again := w.open(t)
	h, err := again.UndecidedHand(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Wipe)
	for _, share := range opened {
		if _, _, err := h.Add(t.Context(), share); err != nil {
			t.Fatal(err)
		}
	}
	if err := again.Unseal(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	w.mustServe(t)
	w.mustBeTidy(t)
	if fresh := w.openedPGP(t); len(fresh) != 3 {
		t.Errorf("%d shares", len(fresh))
	}
}

// inStorage opens what Vault's own copy has for bob, out of Consul.
func (w *world) inStorage(t *testing.T) (opened [][]byte) {
	t.Helper()
	resp, err := http.Get("http://" + w.ground.consul + "/v1/kv/" + w.path + "/core/unseal-keys-backup?raw")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var b struct{ Keys map[string][]string }
	if err := json.NewDecoder(resp.Body).Decode(&b); err != nil {
		t.Fatal(err)
	}
	key, err := w.pgpKey("bob")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range b.Keys[key.Fingerprint()] {
		sealed, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		opened = append(opened, w.decrypt(t, "bob", sealed))
	}
	return opened
}

// testPGPChange goes from age keys to PGP keys and back, and changes its mind in the
// middle of a first deal.
func testPGPChange(t *testing.T, g *ground) {
	w := g.withPGP(t, 1)
	pgp := w.Holders
	w.PGP, w.Holders = false, []HolderRef{{"alice", 3}}
	if _, err := run(t.Context(), w.open(t)); err != nil {
		t.Fatal(err)
	}
	w.PGP, w.Holders = true, pgp
	v := w.open(t)
	if _, err := run(t.Context(), v); !errors.Is(err, ErrHolders) || !strings.Contains(hint.Of(err), "vault rekey") {
		t.Errorf("%v", err)
	}
	if _, err := v.Rekey(t.Context(), mustHand(t, v), false); err != nil {
		t.Fatal(err)
	}
	w.mustServe(t)
	opened := w.openedPGP(t)
	w.PGP, w.Holders = false, []HolderRef{{"alice", 3}}
	v = w.open(t)
	if _, err := v.Rekey(t.Context(), w.handOf(t, v, opened["bob-1"], opened["bob-2"]), false); err != nil {
		t.Fatal(err)
	}
	w.restart()
	if _, err := run(t.Context(), w.open(t)); err != nil {
		t.Fatal(err)
	}
	w.mustServe(t)

	t.Run("before the first deal", func(t *testing.T) {
		w := g.withPGP(t, 1)
		w.runTo(t, DealStep)
		w.PGP, w.Holders = false, []HolderRef{{"bob", 1}, {"carol", 1}}
		v := w.open(t)
		if _, err := run(t.Context(), v); !errors.Is(err, ErrHolders) {
			t.Errorf("%v", err)
		}
		if _, err := v.Rekey(t.Context(), mustHand(t, v), false); err != nil {
			t.Fatal(err)
		}
		w.restart()
		both := w.as(t, "bob", "carol")
		if err := both.Unseal(t.Context(), mustHand(t, both)); err != nil {
			t.Fatal(err)
		}
		for _, key := range w.bucket().keys(t) {
			if strings.HasPrefix(key, "keys/"+w.journal(t).Nonce) {
				t.Errorf("%s is left", key)
			}
		}
	})
}

// testPGPRefused proves that what cannot end well does not begin.
func testPGPRefused(t *testing.T, g *ground) {
	w := g.withPGP(t, 1)
	long := time.Now().Add(-48 * time.Hour)
	w.makePGP(t, "carol", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, KeyLifetimeSecs: 3600, Time: func() time.Time { return long }})
	if _, err := run(t.Context(), w.open(t)); err == nil || !strings.Contains(err.Error(), "carol") || hint.Of(err) == "" {
		t.Errorf("an expired key: %v (hint %q)", err, hint.Of(err))
	}
	if state, err := w.peerOf(t, 0).health(t.Context()); err != nil || state != Uninitialised {
		t.Fatalf("%s, %v", state, err)
	}
	w.makePGP(t, "carol", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Curve: packet.Curve25519})
	w.runTo(t, DealStep)
	if _, err := w.open(t).VerifyShares(t.Context()); err == nil || hint.Of(err) == "" {
		t.Errorf("%v", err)
	}
	t.Run("without the right to Vault's copy", func(t *testing.T) {
		c := w.activePeer(t)
		own, err := w.open(t).login(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		body := map[string]string{"policy": `path "sys/policies/acl/*" { capabilities = ["create", "read", "update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }`}
		if err := own.do(t.Context(), request{method: http.MethodPost, path: "sys/policies/acl/clusterup", token: own.token, body: body}, nil); err != nil {
			t.Fatal(err)
		}
		v := w.open(t)
		if _, err := v.Rekey(t.Context(), mustHand(t, v), false); !isStatus(err, http.StatusForbidden) || !strings.Contains(hint.Of(err), "reconcile") {
			t.Errorf("%v (hint %q)", err, hint.Of(err))
		}
		if _, undecided := w.journal(t).Undecided(); undecided {
			t.Error("it was begun")
		}
	})
	t.Run("by another operator", func(t *testing.T) {
		_, err := w.as(t, "bob").DealStep().Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		other := w.as(t, "bob")
		plan, err := other.DealStep().Plan(t.Context())
		if err == nil {
			err = other.DealStep().Apply(t.Context(), plan)
		}
		var need *custody.NeedHolders
		if !errors.As(err, &need) || !slices.Equal(need.Names, []string{"alice"}) {
			t.Errorf("%v", err)
		}
	})
}

// TestVerdict proves what is taken for proof after a rekey to PGP keys, and that nothing
// else is.
func TestVerdict(t *testing.T) {
	thrown := custody.Journal{Threshold: 1, Shares: map[string]int{"alice": 1}}
	three := custody.Journal{Threshold: 2, Shares: map[string]int{"bob": 2, "carol": 1}}
	for name, c := range map[string]struct {
		e        evidence
		old, set custody.Journal
		want     custody.State
	}{
		"nothing happened":                      {evidence{false, 1, 1, true, false}, thrown, three, custody.Dropped},
		"sealed and not carried out":            {evidence{true, 1, 1, true, false}, thrown, three, custody.Dropped},
		"carried out":                           {evidence{true, 3, 2, false, false}, thrown, three, custody.Live},
		"carried out, of the same shape":        {evidence{true, 3, 2, false, true}, three, three, custody.Live},
		"of the same shape, refused somehow":    {evidence{true, 3, 2, false, false}, three, three, ""},
		"of the same shape, and another's copy": {evidence{false, 3, 2, false, true}, three, three, ""},
		"cut off in the middle":                 {evidence{true, 1, 1, false, true}, thrown, three, ""},
		"somebody else's":                       {evidence{true, 5, 3, false, true}, thrown, three, ""},
		"both":                                  {evidence{true, 3, 2, true, false}, thrown, three, ""},
		"carried out without a copy":            {evidence{false, 3, 2, false, false}, thrown, three, ""},
	} {
		got, err := c.e.verdict(c.old, c.set)
		if got != c.want || (err != nil) != (c.want == "") || err != nil && (!errors.Is(err, ErrTorn) || hint.Of(err) == "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
