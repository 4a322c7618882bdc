// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/converge/convergetest"
	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
)

// testPGP goes through the days of holders with PGP keys, for whom Vault seals.
func testPGP(t *testing.T, g *ground) {
	t.Run("from nothing to shares that nobody here has seen", func(t *testing.T) { testPGPDeal(t, g) })
	t.Run("new shares for new keys", func(t *testing.T) { testPGPRekey(t, g) })
	t.Run("a lost answer is found again", func(t *testing.T) { testPGPLost(t, g) })
	t.Run("sealed before the shares were stored", func(t *testing.T) { testPGPSealed(t, g) })
	t.Run("with recovery keys", func(t *testing.T) { testPGPRecovery(t, g) })
	t.Run("on raft", func(t *testing.T) { testPGPRaft(t, g) })
	t.Run("between age and PGP", func(t *testing.T) { testPGPChange(t, g) })
	t.Run("what keeps a deal from beginning", func(t *testing.T) { testPGPRefused(t, g) })
	t.Run("the step keeps the contract of a step", func(t *testing.T) {
		w := g.withPGP(t, 1)
		w.runTo(t, DealStep)
		convergetest.Run(t, func() converge.Step { return w.open(t).DealStep() })
	})
	t.Run("a killed deal goes on", func(t *testing.T) { testPGPCrashes(t, g) })
}

func testPGPDeal(t *testing.T, g *ground) {
	w := g.withPGP(t, 2)
	var said strings.Builder
	ctx := converge.WithProgress(t.Context(), func(m string) { said.WriteString(m + "\n") })
	p := w.tap(t)
	v := p.open(t)
	w.runTo(t, DealStep)
	thrown := mustHand(t, w.open(t))
	if err := thrown.Enough(); err != nil || len(thrown.Shares()) != 1 {
		t.Fatalf("the throwaway share: %d, %v", len(thrown.Shares()), err)
	}
	if _, err := run(ctx, v); err != nil {
		t.Fatal(err)
	}
	w.mustServe(t)
	w.mustBeTidy(t)
	opened := w.openedPGP(t)
	if len(opened) != 3 {
		t.Fatalf("%d sealed shares", len(opened))
	}
	t.Run("nobody has seen them", func(t *testing.T) {
		if p.seen.Len() < 1000 || !strings.Contains(strings.Join(p.asked, ","), "PUT sys/rekey/update") {
			t.Fatal("the tap has heard nothing")
		}
		w.mustHide(t, opened, map[string]string{"progress": said.String(), "the wire": p.seen.String()})
	})
	t.Run("who has what", func(t *testing.T) {
		keys, err := v.Keys(t.Context())
		if err != nil || keys.Threshold != 2 || len(keys.Shares) != 3 || !keys.PGP || keys.Provisional {
			t.Fatalf("%+v, %v", keys, err)
		}
		first := keys.Shares[0]
		if !strings.HasPrefix(first.Fingerprint, "PGP ") || !strings.HasSuffix(first.Object, "/bob-1.gpg") || first.Missing || !first.Confirmed.IsZero() {
			t.Errorf("%+v", first)
		}
		if _, err := v.VerifyShares(t.Context()); err == nil || !strings.Contains(hint.Of(err), "gpg -d") {
			t.Errorf("%v (hint %q)", err, hint.Of(err))
		}
	})
	t.Run("the throwaway share is worth nothing", func(t *testing.T) {
		if taken, err := w.activePeer(t).takes(t.Context(), thrown, false); err != nil || taken {
			t.Errorf("%v, %v", taken, err)
		}
		if _, err := w.activePeer(t).generateRoot(t.Context(), thrown, false); err == nil {
			t.Error("it makes a root token")
		}
		w.restart()
		gone := w.open(t)
		if err := gone.Unseal(t.Context(), thrown); !errors.Is(err, errNotTaken) {
			t.Errorf("%v", err)
		}
		if d, err := gone.Detail(t.Context()); err != nil || d.Pods[0].Given+d.Pods[1].Given != 0 {
			t.Errorf("it is left for others to go on from: %+v, %v", d, err)
		}
	})
	t.Run("a restart needs the holders", func(t *testing.T) {
		var need *custody.NeedHolders
		if _, err := run(t.Context(), w.open(t)); !errors.As(err, &need) || !slices.Equal(need.Names, []string{"bob", "carol"}) || need.ExitCode() != 3 {
			t.Errorf("%v", err)
		}
	})
	t.Run("every threshold of them opens it", func(t *testing.T) {
		for _, pair := range [][2]string{{"bob-1", "bob-2"}, {"bob-2", "carol-1"}, {"carol-1", "bob-1"}} {
			v := w.open(t)
			if err := v.Unseal(t.Context(), w.handOf(t, v, opened[pair[0]], opened[pair[1]])); err != nil {
				t.Fatalf("%v: %v", pair, err)
			}
			w.mustServe(t)
			w.restart()
		}
	})
	t.Run("who took part is confirmed", func(t *testing.T) { testPartook(t, w, opened) })
}

// mustBeTidy fails unless nothing is left of what a deal needs on its way.
func (w *world) mustBeTidy(t *testing.T) {
	t.Helper()
	j := w.journal(t)
	set := j.Shareholding()
	if set.Nonce == j.Nonce || !set.PGP() {
		t.Fatalf("%+v opens it", set)
	}
	for _, key := range w.bucket().keys(t) {
		if strings.HasPrefix(key, "keys/"+j.Nonce+"/") || strings.HasSuffix(key, answerSuffix) {
			t.Errorf("%s is left", key)
		}
	}
	v := w.open(t)
	at, err := v.activeReplica(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if b, err := v.backup(t.Context(), at.peer); err != nil || b.Nonce != "" {
		t.Errorf("Vault has a copy left: %q, %v", b.Nonce, err)
	}
}

// mustHide looks for opened shares wherever they must not be: in what was said and sent, and
// in every file of the world but the holders' own keys.
func (w *world) mustHide(t *testing.T, opened map[string][]byte, haystacks map[string]string) {
	t.Helper()
	for _, dir := range []string{w.Dir, w.ground.dir} {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(path)
			haystacks[path] = string(data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range opened {
		raw, err := hex.DecodeString(string(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, canary := range []string{string(raw), hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)), base64.StdEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw)} {
			for where, hay := range haystacks {
				if strings.Contains(hay, canary) {
					t.Errorf("the share %s lies open in %s", name, where)
				}
			}
		}
	}
}

func nop(context.Context, Root) error { return nil }

func testPartook(t *testing.T, w *world, opened map[string][]byte) {
	confirmed := func() []string {
		t.Helper()
		keys, err := w.open(t).Keys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var of []string
		for _, s := range keys.Shares {
			if s.Problem != "" {
				t.Errorf("%+v", s)
			}
			if !s.Confirmed.IsZero() {
				of = append(of, s.Holder+" by "+s.Act)
			}
		}
		return of
	}
	if of := confirmed(); len(of) > 0 {
		t.Fatalf("%v, and nothing was said of whose the shares were", of)
	}
	v := w.open(t)
	h := mustHand(t, v)
	if _, _, err := h.Named(t.Context(), "dave", bytes.Clone(opened["carol-1"])); err == nil || hint.Of(err) == "" {
		t.Errorf("%v", err)
	}
	if whose, added, err := h.Named(t.Context(), "carol", bytes.Clone(opened["carol-1"])); err != nil || whose != "carol" || !added {
		t.Fatal(whose, added, err)
	}
	if _, _, err := h.Named(t.Context(), "carol", bytes.Clone(opened["bob-1"])); err == nil {
		t.Error("carol has more shares than she holds")
	}
	var need *custody.NeedHolders
	if err := v.Unseal(t.Context(), h); !errors.As(err, &need) || !slices.Equal(need.Names, []string{"bob"}) {
		t.Errorf("%v", err)
	}
	if of := confirmed(); len(of) > 0 {
		t.Errorf("%v, and there were too few", of)
	}
	if _, _, err := h.Add(t.Context(), bytes.Clone(opened["bob-2"])); err != nil {
		t.Fatal(err)
	}
	if err := v.Unseal(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	// Carol was named, so that the other share can only be bob's.
	if of := confirmed(); !slices.Equal(of, []string{"bob by unseal", "carol by unseal"}) {
		t.Errorf("%v", of)
	}
	h = mustHand(t, v)
	if whose, _, err := h.Add(t.Context(), bytes.Clone(opened["carol-1"])); err != nil || whose != "carol" {
		t.Errorf("a share that took part is not known again: %s, %v", whose, err)
	}
	if _, _, err := h.Named(t.Context(), "bob", bytes.Clone(opened["carol-1"])); err == nil || !strings.Contains(err.Error(), "carol") {
		t.Errorf("a share of carol's is taken for one of bob's: %v", err)
	}
	if _, _, err := h.Add(t.Context(), bytes.Clone(opened["bob-1"])); err != nil {
		t.Fatal(err)
	}
	if err := v.WithRoot(t.Context(), h, Emergency{TTL: time.Minute}, nop); err != nil {
		t.Fatal(err)
	}
	if of := confirmed(); !slices.Equal(of, []string{"bob by unseal", "bob by generate-root", "carol by unseal"}) && !slices.Equal(of, []string{"bob by generate-root", "bob by unseal", "carol by unseal"}) {
		t.Errorf("%v", of)
	}
	wrong := slices.Repeat([]byte{9}, 33)
	if _, _, err := h.Add(t.Context(), []byte(hex.EncodeToString(wrong))); err == nil {
		t.Error("all shares are known, and another one is taken")
	}
	if status, err := v.Status(t.Context()); err != nil || !slices.Equal(status.Confirmed, []string{"bob", "carol"}) {
		t.Errorf("%v, %v", status.Confirmed, err)
	}
}

// testPGPRekey deals new shares to new PGP keys with the old holders' opened shares.
func testPGPRekey(t *testing.T, g *ground) {
	w := g.withPGP(t, 1)
	if _, err := run(t.Context(), w.open(t)); err != nil {
		t.Fatal(err)
	}
	old := w.openedPGP(t)
	w.Holders, w.Threshold = []HolderRef{{"carol", 1}, {"dave", 1}}, 2
	v := w.open(t)
	if _, err := run(t.Context(), v); !errors.Is(err, ErrHolders) {
		t.Errorf("%v", err)
	}
	other, err := w.activePeer(t).newShares(t.Context(), w.handOf(t, v, old["bob-1"], old["carol-1"]), 2, 2, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Rekey(t.Context(), w.handOf(t, v, old["bob-1"], old["carol-1"]), false); !errors.Is(err, ErrOtherRekey) {
		t.Errorf("%v", err)
	}
	if err := w.activePeer(t).cancelRekey(t.Context(), other.Nonce); err != nil {
		t.Fatal(err)
	}
	if done, err := v.Rekey(t.Context(), w.handOf(t, v, old["bob-1"], old["carol-1"]), false); err != nil || done {
		t.Fatal(done, err)
	}
	w.mustServe(t)
	w.mustBeTidy(t)
	fresh := w.openedPGP(t)
	if names := slices.Sorted(maps.Keys(fresh)); !slices.Equal(names, []string{"carol-1", "dave-1"}) {
		t.Fatal(names)
	}
	w.restart()
	gone := w.open(t)
	if err := gone.Unseal(t.Context(), w.handOf(t, gone, old["bob-1"], old["carol-1"])); !isStatus(err, http.StatusBadRequest) {
		t.Errorf("the old shares still open it: %v", err)
	}
	if err := gone.Unseal(t.Context(), w.handOf(t, gone, fresh["carol-1"], fresh["dave-1"])); err != nil {
		t.Fatal(err)
	}
	w.mustServe(t)
}
