// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

func TestTokensAreMadeOnceAndLoaded(t *testing.T) {
	ctx, bucket := t.Context(), newMemory()
	k := keeperOf(bucket, newTestIdentity(t))
	if missing, err := k.Missing(ctx, everyKind()); err != nil || len(missing) != len(everyKind()) {
		t.Fatalf("missing in an empty bucket: %d, %v", len(missing), err)
	}
	if err := k.Make(ctx, everyKind()); err != nil {
		t.Fatal(err)
	}
	if missing, err := k.Missing(ctx, everyKind()); err != nil || len(missing) != 0 {
		t.Fatalf("missing after Make: %v, %v", missing, err)
	}
	first, before := load(t, k, everyKind()), bucket.copied()
	if err := k.Make(ctx, everyKind()); err != nil {
		t.Fatal(err)
	}
	if !maps.EqualFunc(before, bucket.copied(), bytes.Equal) {
		t.Error("making again changed an object")
	}
	same(t, first, load(t, k, everyKind()))
	checkShapes(t, first, everyKind())
}

func TestOneRequestTellsWhatIsMissing(t *testing.T) {
	bucket := newMemory()
	if _, err := keeperOf(bucket, newTestIdentity(t)).Missing(t.Context(), everyKind()); err != nil || bucket.lists != 1 {
		t.Errorf("%d lists, %v", bucket.lists, err)
	}
}

func TestNothingInTheBucketIsInClear(t *testing.T) {
	bucket := newMemory()
	k := keeperOf(bucket, newTestIdentity(t))
	if err := k.Make(t.Context(), everyKind()); err != nil {
		t.Fatal(err)
	}
	for _, v := range load(t, k, everyKind()).Values() {
		for key, data := range bucket.copied() {
			if bytes.Contains(data, v.Reveal()) || bytes.Contains(data, []byte("PRIVATE KEY")) {
				t.Errorf("%s holds a secret in clear", key)
			}
		}
	}
}

// A run is killed after each possible put, the next one goes on, and what the
// first had stored is still there.
func TestAKilledMakerIsContinued(t *testing.T) {
	for k := range len(everyKind()) {
		t.Run(fmt.Sprint("after ", k), func(t *testing.T) {
			ctx, bucket, id := t.Context(), newMemory(), newTestIdentity(t)
			killed := errors.New("killed")
			var mu sync.Mutex
			puts := 0
			bucket.before = func(string) error {
				mu.Lock()
				defer mu.Unlock()
				if puts++; puts > k {
					return killed
				}
				return nil
			}
			if err := keeperOf(bucket, id).Make(ctx, everyKind()); !errors.Is(err, killed) {
				t.Fatalf("the first run ended with %v", err)
			}
			stored := bucket.copied()
			if len(stored) != k {
				t.Fatalf("the first run stored %d, not %d", len(stored), k)
			}
			bucket.before = nil
			if err := keeperOf(bucket, id).Make(ctx, everyKind()); err != nil {
				t.Fatal(err)
			}
			for key, data := range stored {
				if !bytes.Equal(bucket.objects[key], data) {
					t.Errorf("%s was overwritten", key)
				}
			}
			checkShapes(t, load(t, keeperOf(bucket, id), everyKind()), everyKind())
		})
	}
}

func TestRacingMakersEndWithOneSet(t *testing.T) {
	for range 10 {
		bucket, id := newMemory(), newTestIdentity(t)
		bucket.before = func(string) error { // puts in any order
			for range rand.IntN(2000) {
				_ = rand.Int()
			}
			return nil
		}
		var group sync.WaitGroup
		sets, errs := make([]*Set, 4), make([]error, 4)
		for i := range sets {
			group.Go(func() {
				k := keeperOf(bucket, id)
				if errs[i] = k.Make(t.Context(), everyKind()); errs[i] == nil {
					sets[i], errs[i] = k.Load(t.Context(), everyKind())
				}
			})
		}
		group.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if len(bucket.objects) != len(everyKind()) {
			t.Errorf("%d objects for %d tokens", len(bucket.objects), len(everyKind()))
		}
		for _, set := range sets[1:] {
			same(t, sets[0], set)
		}
		checkShapes(t, sets[0], everyKind())
	}
}

// Another run stores its CA just before ours: our leaves are issued by theirs.
func TestLeavesAreIssuedByTheCAThatStays(t *testing.T) {
	ctx, bucket, id := t.Context(), newMemory(), newTestIdentity(t)
	theirs := newMemory()
	if err := keeperOf(theirs, id).Make(ctx, everyKind()); err != nil {
		t.Fatal(err)
	}
	bucket.before = func(key string) error {
		bucket.mu.Lock()
		defer bucket.mu.Unlock()
		if strings.Contains(key, "/ca/") {
			bucket.objects[key] = theirs.objects[key]
		}
		return nil
	}
	k := keeperOf(bucket, id)
	if err := k.Make(ctx, everyKind()); err != nil {
		t.Fatal(err)
	}
	set := load(t, k, everyKind())
	got, _ := set.Public("consul/ca")
	want, _ := load(t, keeperOf(theirs, id), everyKind()).Public("consul/ca")
	if got != want {
		t.Error("the CA is not the one that was stored first")
	}
	checkShapes(t, set, everyKind())
}

func TestOnlyWhatIsMissingHasToBeNamed(t *testing.T) {
	ctx, bucket := t.Context(), newMemory()
	k := keeperOf(bucket, newTestIdentity(t))
	if err := k.Make(ctx, []Spec{{Addon: "consul", Name: "ca", Kind: CA}}); err != nil {
		t.Fatal(err)
	}
	leaf := Spec{Addon: "consul", Name: "agent", Kind: Cert, CA: "consul/ca", Client: true}
	if err := k.Make(ctx, []Spec{leaf}); err != nil {
		t.Fatal(err)
	}
	load(t, k, []Spec{leaf})
}

func TestMissingTokensAreNotThereYet(t *testing.T) {
	_, err := keeperOf(newMemory(), newTestIdentity(t)).Load(t.Context(), everyKind()[3:5])
	if !errors.Is(err, converge.ErrNotYet) || err.Error() != "tokens consul/gossip, consul/bootstrap: not there yet" {
		t.Errorf("got %v", err)
	}
}

func TestTheNewestGenerationIsTheToken(t *testing.T) {
	bucket, spec := newMemory(), Spec{Addon: "a", Name: "b", Kind: Password}
	k := keeperOf(bucket, newTestIdentity(t))
	for key, text := range map[string]string{"tokens/a/b/000001.age": "old", "tokens/a/b/000002.age": "new", "tokens/a/b/notes.txt": "none"} {
		sealed, err := token{spec: spec, secret: NewString(text)}.seal(k.Recipients)
		if err != nil {
			t.Fatal(err)
		}
		bucket.objects[key] = sealed
	}
	if v, _ := load(t, k, []Spec{spec}).Secret("a/b"); v.RevealString() != "new" {
		t.Error("an older generation was loaded")
	}
}

func TestWhoeverRunsHasToBeAnOperator(t *testing.T) {
	bucket := newMemory()
	k := keeperOf(bucket, newTestIdentity(t))
	k.Identities = []Identity{newTestIdentity(t)}
	err := k.Make(t.Context(), everyKind())
	if err == nil || !strings.Contains(hint.Of(err), "--identity") || len(bucket.objects) != 0 {
		t.Errorf("made %d tokens that it cannot open: %v", len(bucket.objects), err)
	}
}

func load(t testing.TB, k *Keeper, specs []Spec) *Set {
	t.Helper()
	set, err := k.Load(context.WithoutCancel(t.Context()), specs)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func same(t testing.TB, a, b *Set) {
	t.Helper()
	for _, id := range a.IDs() {
		one, _ := a.Secret(id)
		two, _ := b.Secret(id)
		onePublic, _ := a.Public(id)
		twoPublic, _ := b.Public(id)
		if !one.Equal(two) || onePublic != twoPublic {
			t.Errorf("%s differs", id)
		}
	}
}
