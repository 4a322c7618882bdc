// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/store"
	"clusterup.dev/clusterup/internal/testservers"
)

// TestMain lets the test binary also be a run that holds the lock until it is
// killed.
func TestMain(m *testing.M) {
	if endpoint := os.Getenv("TEST_HOLD_LOCK"); endpoint != "" {
		fmt.Fprintln(os.Stdout, hold(endpoint))
		return
	}
	m.Run()
}

func hold(endpoint string) error {
	ctx := context.Background()
	b, err := store.Open(ctx, store.Config{
		Bucket: "test", Prefix: "env", Region: "us-east-1", Endpoint: endpoint, PathStyle: true,
		AccessKey: os.Getenv("TEST_ACCESS"), SecretKey: secret.NewString(os.Getenv("TEST_SECRET")),
	})
	if err != nil {
		return err
	}
	l, err := store.Acquire(ctx, b, store.LockOptions{Operation: "create"})
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, "held", l.Fence())
	<-l.Context().Done()
	return context.Cause(l.Context())
}

func acquire(t *testing.T, b store.LockStore, o store.LockOptions) *store.Lease {
	t.Helper()
	l, err := store.Acquire(t.Context(), b, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Release(context.WithoutCancel(t.Context())) })
	return l
}

func TestOneOfManyGetsTheLock(t *testing.T) {
	t.Parallel()
	b := open(t, config(testservers.S3(t)))
	for round := int64(1); round <= 10; round++ {
		var mu sync.Mutex
		var held []*store.Lease
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				l, err := store.Acquire(t.Context(), b, store.LockOptions{})
				var locked *store.LockedError
				if err != nil && !errors.As(err, &locked) {
					t.Error(err)
				}
				if l != nil {
					mu.Lock()
					defer mu.Unlock()
					held = append(held, l)
				}
			})
		}
		wg.Wait()
		if len(held) != 1 {
			t.Fatalf("round %d: %d hold the lock", round, len(held))
		}
		if held[0].Fence() != round {
			t.Errorf("round %d: fence %d", round, held[0].Fence())
		}
		if err := held[0].Check(t.Context()); err != nil {
			t.Error(err)
		}
		if err := held[0].Release(t.Context()); err != nil {
			t.Error(err)
		}
	}
	info, err := store.Inspect(t.Context(), b)
	if err != nil || info.Held || info.Fence != 10 {
		t.Errorf("after the last release: %+v, %v", info, err)
	}
}

func TestLockedErrorNamesTheHolder(t *testing.T) {
	t.Parallel()
	b := open(t, config(testservers.S3(t)))
	acquire(t, b, store.LockOptions{Owner: "ann@there pid 7", Operation: "create"})
	_, err := store.Acquire(t.Context(), b, store.LockOptions{})
	var locked *store.LockedError
	if !errors.As(err, &locked) {
		t.Fatalf("second holder: %v", err)
	}
	for _, part := range []string{"ann@there pid 7 (create) since 2", "expires in"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q lacks %q", err, part)
		}
	}
	start := time.Now()
	_, err = store.Acquire(t.Context(), b, store.LockOptions{Wait: 300 * time.Millisecond})
	if !errors.As(err, &locked) || time.Since(start) < 300*time.Millisecond {
		t.Errorf("after a wait of %s: %v", time.Since(start), err)
	}
}

// Whoever waits is told once who holds the lock, and again when it is another.
func TestAWaiterIsToldWhoHoldsTheLock(t *testing.T) {
	t.Parallel()
	b := open(t, config(testservers.S3(t)))
	first := acquire(t, b, store.LockOptions{Owner: "ann", Operation: "create"})
	var told []string
	_, err := store.Acquire(t.Context(), b, store.LockOptions{Wait: time.Second, Waiting: func(e *store.LockedError) {
		told = append(told, e.Owner+" "+e.Operation)
		if len(told) == 1 { // the waiter does not look meanwhile
			if err := first.Release(t.Context()); err != nil {
				t.Error(err)
			}
			acquire(t, b, store.LockOptions{Owner: "bob", Operation: "destroy"})
		}
	}})
	if err == nil || !slices.Equal(told, []string{"ann create", "bob destroy"}) || !strings.Contains(err.Error(), "held by bob (destroy)") {
		t.Errorf("told %q, ended with %v", told, err)
	}
}

// A lock.json that was deleted does not let the fence go back.
func TestTheFenceStartsAboveTheFloor(t *testing.T) {
	t.Parallel()
	b := open(t, config(testservers.S3(t)))
	asked := 0
	floor := func(context.Context) (int64, error) { asked++; return 7, nil }
	for want := int64(8); want <= 9; want++ {
		l, err := store.Acquire(t.Context(), b, store.LockOptions{Floor: floor})
		if err != nil || l.Fence() != want {
			t.Fatalf("fence %v, want %d (%v)", l, want, err)
		}
		if err := l.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times, want only while there is no lock.json", asked)
	}
}

func TestWaitersGetTheLockInTurn(t *testing.T) {
	t.Parallel()
	b := open(t, config(testservers.S3(t)))
	var inside, most, fences sync.Map
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			l, err := store.Acquire(t.Context(), b, store.LockOptions{Wait: time.Minute})
			if err != nil {
				t.Error(err)
				return
			}
			if _, twice := inside.LoadOrStore("holder", i); twice {
				most.Store("overlap", true)
			}
			if _, again := fences.LoadOrStore(l.Fence(), i); again {
				t.Errorf("fence %d was given twice", l.Fence())
			}
			inside.Delete("holder")
			if err := l.Release(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, overlap := most.Load("overlap"); overlap {
		t.Error("two held the lock at once")
	}
}

func TestARenewedLockStays(t *testing.T) {
	t.Parallel()
	b := open(t, config(testservers.S3(t)))
	l := acquire(t, b, store.LockOptions{TTL: 400 * time.Millisecond})
	_, err := store.Acquire(t.Context(), b, store.LockOptions{Wait: 1500 * time.Millisecond})
	var locked *store.LockedError
	if !errors.As(err, &locked) {
		t.Errorf("a lock that is renewed: %v", err)
	}
	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// A holder on this machine that lives but does not renew, as one that is
// stopped, is passed only after its whole time was seen to pass.
func TestALockThatIsNotRenewedIsTaken(t *testing.T) {
	t.Parallel()
	b := open(t, config(testservers.S3(t)))
	const ttl = 800 * time.Millisecond
	dead := acquire(t, frozen{b}, store.LockOptions{TTL: ttl})
	start := time.Now()
	l := acquire(t, b, store.LockOptions{Wait: 10 * time.Second})
	if waited := time.Since(start); waited < ttl {
		t.Errorf("taken after %s of a time to live of %s", waited, ttl)
	}
	if l.Fence() <= dead.Fence() {
		t.Errorf("fence %d after %d", l.Fence(), dead.Fence())
	}
	select {
	case <-dead.Context().Done():
	case <-time.After(5 * time.Second):
		t.Fatal("the holder that lost the lock goes on")
	}
	if err := context.Cause(dead.Context()); !errors.Is(err, store.ErrLost) {
		t.Errorf("cause: %v", err)
	}
	if err := dead.Release(t.Context()); err != nil {
		t.Error(err)
	}
	if err := l.Check(t.Context()); err != nil {
		t.Errorf("the loser's release touched the winner: %v", err)
	}
}

// frozen takes the lock but cannot renew it.
type frozen struct{ *store.S3 }

func (frozen) PutIf(context.Context, string, []byte, store.Version) (store.Version, error) {
	return "", errors.New("no way through")
}

// edit changes the lock object as a holder elsewhere would have written it.
func edit(t *testing.T, b *store.S3, change func(holder map[string]any)) {
	t.Helper()
	data, version, err := b.Get(t.Context(), store.LockKey)
	if err != nil {
		t.Fatal(err)
	}
	var r map[string]any
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	change(r["holder"].(map[string]any))
	if data, err = json.Marshal(r); err != nil {
		t.Fatal(err)
	}
	if _, err := b.PutIf(t.Context(), store.LockKey, data, version); err != nil {
		t.Fatal(err)
	}
}

// Of a holder on another machine only the store's clock is believed, not what
// the holder wrote; a fresh look is enough then.
func TestALockFromElsewhereExpiresByTheStoresClock(t *testing.T) {
	t.Parallel()
	b := open(t, config(testservers.S3(t)))
	old := acquire(t, b, store.LockOptions{TTL: time.Hour})
	edit(t, b, func(h map[string]any) {
		h["ttl"], h["since"] = "1s", "2099-01-01T00:00:00Z"
		h["process"] = map[string]any{"boot": "another", "namespace": "pid:[1]", "pid": 1, "started": "1"}
	})
	var locked *store.LockedError
	if _, err := store.Acquire(t.Context(), b, store.LockOptions{}); !errors.As(err, &locked) {
		t.Fatalf("a fresh lock from elsewhere: %v", err)
	}
	// Every look is the first one of its run, so none has watched the time pass.
	start := time.Now()
	err := converge.Until(t.Context(), "the lock", 20*time.Second, func(ctx context.Context) (bool, string, error) {
		l, err := store.Acquire(ctx, b, store.LockOptions{})
		if err != nil {
			return false, "", err
		}
		if l.Fence() != old.Fence()+1 {
			t.Errorf("fence %d", l.Fence())
		}
		return true, "", l.Release(ctx)
	})
	if err != nil {
		t.Fatal(err)
	}
	if waited := time.Since(start); waited < time.Second {
		t.Errorf("taken after %s", waited)
	}
	if err := old.Check(t.Context()); !errors.Is(err, store.ErrLost) {
		t.Errorf("Check of the old holder: %v", err)
	}
}

func TestBreakIsNoticed(t *testing.T) {
	t.Parallel()
	b := open(t, config(testservers.S3(t)))
	l := acquire(t, b, store.LockOptions{TTL: 400 * time.Millisecond})
	info, err := store.Break(t.Context(), b)
	if err != nil || !info.Held {
		t.Fatalf("Break = %+v, %v", info, err)
	}
	<-l.Context().Done()
	if err := context.Cause(l.Context()); !errors.Is(err, store.ErrLost) {
		t.Errorf("cause: %v", err)
	}
	if again := acquire(t, b, store.LockOptions{}); again.Fence() != l.Fence()+1 {
		t.Errorf("fence %d after %d", again.Fence(), l.Fence())
	}
}

// A run that was killed must be resumable at once: the next one sees that its
// process is gone and does not wait for the lock to expire.
func TestTheLockOfAKilledRunIsTakenAtOnce(t *testing.T) {
	t.Parallel()
	s := testservers.S3(t)
	b := open(t, config(s))
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "TEST_HOLD_LOCK="+s.Endpoint,
		"TEST_ACCESS="+s.AccessKey, "TEST_SECRET="+s.SecretKey.RevealString())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "held 1\n" {
		t.Fatalf("the other run says %q, %v", line, err)
	}
	var locked *store.LockedError
	if _, err := store.Acquire(t.Context(), b, store.LockOptions{}); !errors.As(err, &locked) {
		t.Errorf("while the other run lives: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// Not even collected by its parent yet.
	start := time.Now()
	l := acquire(t, b, store.LockOptions{Wait: 5 * time.Second})
	if waited := time.Since(start); waited > 2*time.Second || l.Fence() != 2 {
		t.Errorf("taken after %s with fence %d", waited, l.Fence())
	}
	_ = cmd.Wait()
}
