// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/raftsnapshot"
)

// testSnapshot brings three replicas on raft back to a day: with the same key shares, with
// others, interrupted, with a replica missing or sealed. What was written since
// is gone, the shares of that day open Vault, and no root token stays.
func testSnapshot(t *testing.T, g *ground) {
	whole := t
	w := g.newWorldOn(t, 3, func(w *world) { w.Raft = true })
	var archive bytes.Buffer
	if _, err := w.open(t).Snapshot(t.Context(), &archive); err == nil || hint.Of(err) == "" {
		t.Errorf("before there is anything: %v", err)
	}
	w.mustRun(t)
	taken, err := w.open(t).Snapshot(t.Context(), &archive)
	if err != nil {
		t.Fatal(err)
	}
	if checked, err := raftsnapshot.Check(bytes.NewReader(archive.Bytes())); err != nil || checked.Index != taken.Index || taken.Index == 0 {
		t.Errorf("%+v, checked %+v, %v", taken, checked, err)
	}
	if taken.Version == "" || len(taken.Proof.Engines) < 2 || len(taken.Proof.Methods) < 2 {
		t.Errorf("%+v", taken)
	}
	w.mustServe(t) // the mark is no drift

	written := func() bool {
		t.Helper()
		s, err := w.open(t).login(t.Context(), w.activePeer(t))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.end(t.Context()) }()
		err = s.do(t.Context(), request{method: http.MethodGet, path: "sys/policies/acl/since", token: s.token}, nil)
		if err != nil && !isStatus(err, http.StatusNotFound) {
			t.Fatal(err)
		}
		return err == nil
	}
	write := func() {
		t.Helper()
		s, err := w.open(t).login(t.Context(), w.activePeer(t))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.end(t.Context()) }()
		if err := s.do(t.Context(), request{method: http.MethodPost, path: "sys/policies/acl/since", token: s.token, body: map[string]string{"policy": "# since\n"}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	back := func(ctx context.Context, v *Vault) error {
		t.Helper()
		start := time.Now()
		have, err := v.Restore(ctx, mustHand(t, v), Emergency{TTL: time.Minute}, archive.Bytes(), taken.Proof)
		t.Logf("restored in %s: %v", time.Since(start).Round(time.Millisecond), err)
		if err == nil && len(have.Missing) > 0 {
			t.Errorf("missing: %q", have.Missing)
		}
		return err
	}
	proven := func() {
		t.Helper()
		if written() {
			t.Error("what was written since the snapshot is there")
		}
		w.mustRun(t)
		w.mustServe(t)
		if roots := w.roots(t); roots != 0 {
			t.Errorf("%d root tokens are alive", roots)
		}
		if keys, err := w.open(t).Keys(t.Context()); err != nil || keys.Init != taken.Proof.Shares {
			t.Errorf("%+v, %v", keys, err)
		}
	}

	t.Run("with the shares of today", func(t *testing.T) {
		write()
		if !written() {
			t.Fatal("it was not written")
		}
		if err := back(t.Context(), w.open(t)); err != nil {
			t.Fatal(err)
		}
		proven()
		w.mustHaveVoters(t, 3)
	})
	t.Run("with those of before a rekey", func(t *testing.T) {
		w.Threshold = 3
		if err := rekey(t.Context(), w.open(t)); err != nil {
			t.Fatal(err)
		}
		write()
		today := mustHand(t, w.open(t))
		if err := back(t.Context(), w.open(t)); err != nil {
			t.Fatal(err)
		}
		w.Threshold = 2
		proven()
		w.restart()
		w.mustReopen(t, today, taken.Proof) // as where Vault had sealed itself on the way
		w.mustRun(t)
		w.mustServe(t)
	})
	t.Run("interrupted once it was sent", func(t *testing.T) {
		if err := rekey(t.Context(), w.open(t)); err != nil {
			t.Fatal(err)
		}
		write()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ctx = converge.WithProgress(ctx, func(m string) {
			if strings.Contains(m, "has taken the snapshot") {
				cancel()
			}
		})
		if err := back(ctx, w.open(t)); err != nil || ctx.Err() == nil {
			t.Fatalf("%v, %v", err, ctx.Err())
		}
		proven()
	})
	spare := 2 // a standby, so that none takes over meanwhile
	if state, _ := w.peerOf(t, spare).health(t.Context()); state == Active {
		spare = 1
	}
	t.Run("with a replica sealed", func(t *testing.T) {
		w.servers[spare].Kill()
		w.start(whole, spare)
		if err := back(t.Context(), w.open(t)); err == nil || !strings.Contains(err.Error(), podName(spare)+" is sealed") || hint.Of(err) == "" {
			t.Errorf("%v", err)
		}
	})
	t.Run("with a replica missing", func(t *testing.T) {
		w.servers[spare].Kill()
		write()
		if err := back(t.Context(), w.open(t)); err != nil {
			t.Fatal(err)
		}
		w.start(whole, spare)
		w.mustRun(t)
		proven()
	})
	t.Run("of another init", func(t *testing.T) {
		other := taken.Proof
		other.Shares = "20010101T000000Z-000"
		v := w.open(t)
		if _, err := v.Restore(t.Context(), mustHand(t, v), Emergency{TTL: time.Minute}, archive.Bytes(), other); err == nil || hint.Of(err) == "" {
			t.Errorf("%v", err)
		}
	})
	t.Run("damaged on its way", func(t *testing.T) {
		v := w.open(t)
		broken := slices.Clone(archive.Bytes())
		broken[len(broken)/2] ^= 1
		_, err := v.Restore(t.Context(), mustHand(t, v), Emergency{TTL: time.Minute}, broken, taken.Proof)
		if err == nil || !strings.Contains(err.Error(), "restore the snapshot") {
			t.Errorf("%v", err)
		}
		w.mustServe(t)
		if roots := w.roots(t); roots != 0 {
			t.Errorf("%d root tokens are alive", roots)
		}
	})
	t.Run("in Consul", func(t *testing.T) {
		v := w.open(t)
		v.cfg.Settings.Storage = Keeping{}
		if _, err := v.Snapshot(t.Context(), &archive); err == nil || !strings.Contains(hint.Of(err), "consul snapshot") {
			t.Errorf("%v, hint %s", err, hint.Of(err))
		}
	})
}

// mustReopen opens what is sealed as a restore does that knows today's shares and the
// snapshot's, but not which Vault takes.
func (w *world) mustReopen(t *testing.T, today *custody.Hand, of Proof) {
	t.Helper()
	v := w.open(t)
	escrow, j, err := v.records(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	set, ok := setOf(j, of)
	if !ok || set.Nonce == today.Journal().Nonce {
		t.Fatalf("the snapshot's set is %+v", set)
	}
	err = converge.Until(t.Context(), "Vault to be open", time.Minute, func(ctx context.Context) (bool, string, error) {
		replicas, err := v.look(ctx)
		if err != nil {
			return false, "", err
		}
		_, ok := active(replicas)
		return ok, notServing(replicas), reopen(ctx, inState(replicas, Sealed), escrow, set, today)
	})
	if err != nil {
		t.Fatal(err)
	}
}
