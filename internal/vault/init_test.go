// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/store"
)

// testLostAnswer cuts the connection between Vault's carrying out the init and
// its answer reaching the run.
func testLostAnswer(t *testing.T, g *ground) {
	w := g.newWorld(t, 1)
	outside := w.peerOf(t, 0)
	var cut atomic.Bool
	v, err := w.vault(w.bucket(), func(c net.Conn) net.Conn { return &deafConn{c, outside, &cut} })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	before := 0
	for _, again := range []*Vault{v, w.open(t), w.open(t)} {
		_, err := run(t.Context(), again)
		if !errors.Is(err, ErrLost) || hint.Of(err) == "" {
			t.Fatalf("%v (hint %q)", err, hint.Of(err))
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("more than a line: %q", err)
		}
		keys := w.bucket().keys(t)
		if before != 0 && len(keys) != before {
			t.Errorf("a refusing run wrote: %v", keys)
		}
		before = len(keys)
	}
}

// deafConn hears nothing more once Vault is initialised, and only the first one.
type deafConn struct {
	net.Conn
	outside *client
	cut     *atomic.Bool
}

func (d *deafConn) Read(p []byte) (int, error) {
	n, err := d.Conn.Read(p)
	if state, _ := d.outside.health(context.Background()); state == Sealed && !d.cut.Swap(true) {
		_ = d.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

// testOvertaken lets somebody else initialise Vault in the last moment.
func testOvertaken(t *testing.T, g *ground) {
	w := g.newWorld(t, 1)
	v, lost := w.open(t), errors.New("the lock is another's")
	v.cfg.Guard = func(context.Context) error { return lost }
	if _, err := run(t.Context(), v); !errors.Is(err, lost) {
		t.Fatalf("%v, want that the guard forbids it", err)
	}
	if state, err := w.peerOf(t, 0).health(t.Context()); state != Uninitialised {
		t.Fatalf("vault is %s, %v", state, err)
	}

	byHand := w.open(t)
	byHand.cfg.Guard = func(context.Context) error { w.initByHand(t).Wipe(); return nil }
	_, err := run(t.Context(), byHand)
	if !errors.Is(err, ErrOthers) || errors.Is(err, ErrLost) || hint.Of(err) == "" || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v (hint %q)", err, hint.Of(err))
	}

	w = g.newWorld(t, 1)
	byRun := w.open(t)
	byRun.cfg.Guard = func(ctx context.Context) error { // another run, under the same name
		_, err := run(ctx, w.open(t))
		return err
	}
	if _, err := run(t.Context(), byRun); !errors.Is(err, converge.ErrStale) || hint.Of(err) == "" {
		t.Errorf("%v (hint %q)", err, hint.Of(err))
	}
	w.mustServe(t)
}

// TestDestroyAfterTornPurge proves that a purge goes on from what one that was
// cut off left.
func TestDestroyAfterTornPurge(t *testing.T) {
	bucket := &folder{dir: t.TempDir()}
	const left = "vault/20260701t120000.000000-00000000/0002-stored.json"
	if _, err := bucket.PutNew(t.Context(), left, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	v := New(Config{Escrow: func(context.Context) (*custody.Escrow, error) { return &custody.Escrow{Bucket: bucket}, nil }})
	if err := v.step(t, "vault/init").Destroy(t.Context()); err != nil {
		t.Error(err)
	}
	if keys := bucket.keys(t); !slices.Equal(keys, []string{left}) {
		t.Errorf("destroying wrote: %v", keys)
	}
}

// testCancelled ends the context while the answer is being kept, and lets the
// store fail a few times there: neither may lose the answer.
func testCancelled(t *testing.T, g *ground) {
	w := g.newWorld(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	bucket := &moody{folder: w.bucket(), cancel: cancel, fails: 3}
	v, err := w.vault(bucket, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	if _, err := run(ctx, v); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v, want that it was cancelled", err)
	}
	if _, err := run(t.Context(), w.open(t)); err != nil {
		t.Fatal(err)
	}
	w.mustServe(t)
}

// moody cancels the run when the answer comes, and does not take it at first.
type moody struct {
	*folder
	cancel func()
	fails  int
}

func (m *moody) PutNew(ctx context.Context, key string, data []byte) (store.Version, error) {
	if strings.HasSuffix(key, answerSuffix) {
		m.cancel()
		if m.fails--; m.fails >= 0 {
			return "", errors.New("not now")
		}
	}
	return m.folder.PutNew(ctx, key, data)
}

// testUnreadable proves that a bucket that takes and does not give back is
// noticed before the init is sent.
func testUnreadable(t *testing.T, g *ground) {
	w := g.newWorld(t, 1)
	v, err := w.vault(&leaky{w.bucket()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	if _, err := run(t.Context(), v); err == nil || !strings.Contains(err.Error(), "before the init") {
		t.Fatalf("%v", err)
	}
	if state, err := w.peerOf(t, 0).health(t.Context()); state != Uninitialised {
		t.Fatalf("vault is %s, %v", state, err)
	}
	if _, err := run(t.Context(), w.open(t)); err != nil {
		t.Fatal(err)
	}
	w.mustServe(t)
}

// leaky loses what is put under keys/.
type leaky struct{ *folder }

func (l *leaky) PutNew(ctx context.Context, key string, data []byte) (store.Version, error) {
	if strings.HasPrefix(key, "keys/") {
		return "1", nil
	}
	return l.folder.PutNew(ctx, key, data)
}
