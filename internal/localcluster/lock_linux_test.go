// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"path/filepath"
	"sync"
	"testing"
)

// look looks at the lock without a pause, from many sides, until the test ends.
func look(t *testing.T, dir string, seen func(held bool)) (stop func()) {
	t.Helper()
	done := make(chan struct{})
	var looking sync.WaitGroup
	for range 8 {
		looking.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				held, err := locked(dir)
				if err != nil {
					t.Error(err)
					return
				}
				seen(held)
			}
		})
	}
	return sync.OnceFunc(func() { close(done); looking.Wait() })
}

// A node that starts is watched all the while, and must not take who watches
// for another node.
func TestWhoLooksIsNotInTheWay(t *testing.T) {
	dir := t.TempDir()
	stop := look(t, dir, func(bool) {})
	defer stop()
	for range 200 {
		held, err := tryLock(t.Context(), dir)
		if err != nil || held == nil {
			t.Fatalf("a free lock was not given: %v", err)
		}
		if err := held.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Nor does a dead node look alive because somebody else looks, too.
func TestWhoLooksIsNotSeen(t *testing.T) {
	dir := t.TempDir()
	var looks sync.WaitGroup
	looks.Add(2000)
	var mu sync.Mutex
	count := 0
	stop := look(t, dir, func(held bool) {
		mu.Lock()
		defer mu.Unlock()
		if held {
			t.Error("a free lock looks held")
		}
		if count++; count <= 2000 {
			looks.Done()
		}
	})
	looks.Wait()
	stop()
}

func TestLockHasOneHolder(t *testing.T) {
	dir := t.TempDir()
	held, err := tryLock(t.Context(), dir)
	if err != nil || held == nil {
		t.Fatalf("%v, %v", held, err)
	}
	if other, err := tryLock(t.Context(), dir); err != nil || other != nil {
		t.Errorf("a second holder: %v, %v", other, err)
	}
	if is, err := locked(dir); err != nil || !is {
		t.Errorf("held: %v, %v", is, err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	if is, err := locked(dir); err != nil || is {
		t.Errorf("held after its end: %v, %v", is, err)
	}
	if is, err := locked(filepath.Join(dir, "absent")); err != nil || is {
		t.Errorf("held without being there: %v, %v", is, err)
	}
	// Of many that want it at the same time, one gets it, and no other one.
	var mu sync.Mutex
	var all sync.WaitGroup
	got := 0
	for range 20 {
		all.Go(func() {
			f, err := lockFile(t.Context(), filepath.Join(dir, "log"))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if f != nil {
				got++
				t.Cleanup(func() { _ = f.Close() })
			}
		})
	}
	all.Wait()
	if got != 1 {
		t.Errorf("%d holders at the same time", got)
	}
}
