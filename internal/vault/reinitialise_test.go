// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
)

// beneath is a world's folder in the real Consul.
type beneath struct {
	kv     *api.KV
	folder string
}

func (w *world) beneath(t *testing.T) *beneath {
	t.Helper()
	client, err := api.NewClient(&api.Config{Address: w.ground.consul})
	if err != nil {
		t.Fatal(err)
	}
	return &beneath{client.KV(), w.path + "/"}
}

func (b *beneath) Keys(ctx context.Context) ([]string, error) {
	keys, _, err := b.kv.Keys(b.folder, "", (&api.QueryOptions{}).WithContext(ctx))
	for i := range keys {
		keys[i] = strings.TrimPrefix(keys[i], b.folder)
	}
	return keys, err
}

func (b *beneath) Erase(ctx context.Context, keys []string) error {
	for _, key := range keys {
		if _, err := b.kv.Delete(b.folder+key, (&api.WriteOptions{}).WithContext(ctx)); err != nil {
			return err
		}
	}
	return nil
}

// copy is all that the folder holds, with the values.
func (b *beneath) copy(t *testing.T) api.KVPairs {
	t.Helper()
	pairs, _, err := b.kv.List(b.folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	return pairs
}

// restore makes the folder hold that and nothing else.
func (b *beneath) restore(t *testing.T, pairs api.KVPairs) {
	t.Helper()
	if _, err := b.kv.DeleteTree(b.folder, nil); err != nil {
		t.Fatal(err)
	}
	for _, p := range pairs {
		if _, err := b.kv.Put(&api.KVPair{Key: p.Key, Value: p.Value, Flags: p.Flags}, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// testReinitialise loses the answer of an init, and has it begun anew only when
// that is asked for, and only while the storage holds nothing else.
func testReinitialise(t *testing.T, g *ground) {
	t.Run("a lost init, cut off twice", func(t *testing.T) { testBegunAnew(t, g) })
	t.Run("somebody used it", func(t *testing.T) { testUsedIsKept(t, g) })
}

// loseInit leaves a Vault initialised under an intent, with its answer nowhere.
func (w *world) loseInit(t *testing.T) {
	t.Helper()
	escrow, err := w.open(t).cfg.Escrow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := escrow.Intend(t.Context(), custody.Journal{}, w.open(t).cfg.Holders, w.Threshold); err != nil {
		t.Fatal(err)
	}
	w.initByHand(t).Wipe()
}

func (w *world) reinitialising(t *testing.T, b *beneath) *Vault {
	t.Helper()
	v := w.open(t)
	v.cfg.Reinitialise, v.cfg.Storage = true, b
	return v
}

func testBegunAnew(t *testing.T, g *ground) {
	w := g.newWorld(t, 2)
	w.replace = func(n int) {
		w.servers[n].Kill()
		w.start(t, n)
	}
	w.loseInit(t)
	b := w.beneath(t)
	unasked := w.reinitialising(t, b)
	unasked.cfg.Reinitialise = false
	if _, err := run(t.Context(), unasked); !errors.Is(err, ErrLost) || !strings.Contains(hint.Of(err), "--reinitialize-empty") {
		t.Fatalf("not asked for: %v (hint %q)", err, hint.Of(err))
	}
	if _, err := run(t.Context(), w.open(t)); !errors.Is(err, ErrLost) || !strings.Contains(hint.Of(err), "by hand") {
		t.Fatalf("where nobody can look into the storage: %v (hint %q)", err, hint.Of(err))
	}
	blind := w.reinitialising(t, b)
	blind.cfg.Storage = nil
	if _, err := run(t.Context(), blind); err == nil || hint.Of(err) == "" {
		t.Fatalf("without a look into the storage: %v", err)
	}
	lost, _ := b.Keys(t.Context())
	if others := beyondInit(lost); len(lost) < 20 || len(others) > 0 {
		t.Fatalf("an init leaves %d keys, of which these are not known: %v", len(lost), others)
	}

	stopped := errors.New("stopped")
	held := w.reinitialising(t, b)
	held.cfg.Guard = func(context.Context) error { return stopped } // the lock is lost before anything is deleted
	if _, err := run(t.Context(), held); !errors.Is(err, stopped) {
		t.Fatalf("%v, want that the guard forbids it", err)
	}
	if now, _ := b.Keys(t.Context()); !slices.Equal(now, lost) {
		t.Fatalf("%d keys are left of %d", len(now), len(lost))
	}
	guards := 0
	cut := w.reinitialising(t, b)
	cut.cfg.Guard = func(context.Context) error { // after the storage is empty, before the init
		if guards++; guards == 2 {
			return stopped
		}
		return nil
	}
	if _, err := run(t.Context(), cut); !errors.Is(err, stopped) {
		t.Fatalf("%v, want that it is cut off before the init", err)
	}
	changes, err := run(t.Context(), w.open(t)) // nothing needs to be asked for any more
	if err != nil {
		t.Fatalf("after it was cut off: %v (%v)", err, changes)
	}
	w.mustServe(t)
	if sealed, receipts := w.dealt(t); sealed != 3 || receipts != 3 {
		t.Errorf("%d shares and %d receipts, want 3 of each", sealed, receipts)
	}
	if again, err := run(t.Context(), w.reinitialising(t, b)); err != nil || len(again) > 0 {
		t.Errorf("asking for it where all is well: %v, %v", again, err)
	}
}

// testUsedIsKept has somebody with the shares use the Vault.
func testUsedIsKept(t *testing.T, g *ground) {
	w := g.newWorld(t, 1)
	escrow, err := w.open(t).cfg.Escrow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := escrow.Intend(t.Context(), custody.Journal{}, w.open(t).cfg.Holders, w.Threshold); err != nil {
		t.Fatal(err)
	}
	answer := w.initByHand(t)
	defer answer.Wipe()
	b := w.beneath(t)
	if _, err := w.peerOf(t, 0).unseal(t.Context(), answer.Shares[:2]); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t.Context(), w.reinitialising(t, b)); err == nil || !strings.Contains(err.Error(), "somebody has the key shares") {
		t.Fatalf("while it is open: %v", err)
	}
	w.servers[0].Kill()
	w.start(t, 0)
	if _, err := run(t.Context(), w.reinitialising(t, b)); !errors.Is(err, ErrUsed) || hint.Of(err) == "" {
		t.Fatalf("after it was open: %v", err)
	}
	if _, err := w.peerOf(t, 0).unseal(t.Context(), answer.Shares[:2]); err != nil {
		t.Fatalf("it does not open any more: %v", err)
	}
}
