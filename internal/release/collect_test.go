// SPDX-License-Identifier: Apache-2.0

package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"clusterup.dev/clusterup/internal/converge"
)

// promoted stages, attempts and promotes a release of one object.
func promoted(t *testing.T, l *Library, name string) string {
	t.Helper()
	digest := stage(t, l, single(name))
	attempt(t, l, digest)
	was, err := l.Inventory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Promote(t.Context(), digest, was, 1); err != nil {
		t.Fatal(err)
	}
	return digest
}

// six promotes six releases and attempts a seventh, which dies; one more was only
// staged.
func six(t *testing.T, b *memory) (l *Library, digests []string) {
	l = library(t, b)
	for i := range 6 {
		digests = append(digests, promoted(t, l, fmt.Sprint("r", i)))
	}
	died := stage(t, l, single("died"))
	attempt(t, l, died)
	return l, append(digests, died, stage(t, l, single("staged")))
}

func allowed(context.Context) error { return nil }

// The list says of every release whether it is current, was before, or was only
// attempted, and what of it is missing or damaged, and hides none for that.
func TestList(t *testing.T) {
	b := &memory{}
	l, digests := six(t, b)
	b.put(indexKey(digests[0]), []byte("{"))
	object := clearKey(mustNew(t, single("r1")).Index.Addons[0].Objects)
	delete(b.objects, object)
	all, err := l.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range all {
		got = append(got, fmt.Sprint(slices.Index(digests, r.Digest), r.First, r.Current, r.Previous, r.Since, r.Damage != nil, len(r.Missing)))
	}
	want := []string{
		"6 7 false false true false 0", "5 6 true false false false 0", "4 5 false true false false 0", "3 4 false false false false 0",
		"2 3 false false false false 0", "1 2 false false false false 1", "0 1 false false false true 0", "7 0 false false false false 0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Collecting keeps the current release, the one before it, what was attempted since
// and the newest, each with all its objects and its place in the order; the rest goes.
func TestCollect(t *testing.T) {
	for keep, want := range map[int][]int{0: {4, 5, 6}, 1: {4, 5, 6}, 4: {3, 4, 5, 6}, 10: {0, 1, 2, 3, 4, 5, 6, 7}} {
		b := &memory{}
		l, digests := six(t, b)
		before, err := l.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		g, err := l.Garbage(t.Context(), keep)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Collect(t.Context(), g, allowed); err != nil {
			t.Fatal(err)
		}
		after, err := l.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for _, r := range after {
			got = append(got, slices.Index(digests, r.Digest))
			if _, err := l.Fetch(t.Context(), r.Digest); err != nil {
				t.Error(err)
			}
			if i := slices.IndexFunc(before, func(o Listed) bool { return o.Digest == r.Digest }); before[i].First != r.First {
				t.Errorf("the first attempt of %d was %d and is %d", got[len(got)-1], before[i].First, r.First)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" || g.Kept != len(want) {
			t.Errorf("keeping %d: %s", keep, diff)
		}
		entries, err := l.Bucket.List(t.Context(), "")
		if n := 3*len(want) + 1; keep < 10 && len(entries) != n { // index, object, attempt of each; the pointer
			t.Errorf("keeping %d leaves %v, %v", keep, entries, err)
		}
		if diff := cmp.Diff([]string{"r5", "died"}, names(t, l)); diff != "" {
			t.Error(diff)
		}
		if again, err := l.Garbage(t.Context(), keep); err != nil || !again.Empty() {
			t.Errorf("there is still something to collect: %+v, %v", again, err)
		}
		promoted(t, l, "after") // numbers go on
	}
}

// Cut off after any number of deletions, every release that is listed is whole, and
// collecting again ends where it would have.
func TestCollectCutOff(t *testing.T) {
	for cut := 0; ; cut++ {
		b := &memory{}
		l, _ := six(t, b)
		g, err := l.Garbage(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		deleted := 0
		b.beforeDelete = func(string) error {
			if deleted == cut {
				return errors.New("killed")
			}
			deleted++
			return nil
		}
		err = l.Collect(t.Context(), g, allowed)
		b.beforeDelete = nil
		all, listErr := l.List(t.Context())
		if listErr != nil {
			t.Fatal(listErr)
		}
		for _, r := range all {
			if _, err := l.Fetch(t.Context(), r.Digest); err != nil {
				t.Errorf("cut after %d: %v", cut, err)
			}
		}
		if g, err := l.Garbage(t.Context(), 1); err != nil {
			t.Error(err)
		} else if err := l.Collect(t.Context(), g, allowed); err != nil || len(b.objects) != 10 {
			t.Errorf("cut after %d: %d objects are left, %v", cut, len(b.objects), err)
		}
		if err == nil {
			return
		}
	}
}

// Nothing is deleted without the lock, after the pointer has moved, or when what is
// kept cannot be read; a damaged release that is not kept just goes.
func TestCollectRefuses(t *testing.T) {
	b := &memory{}
	l, digests := six(t, b)
	count := len(b.objects)
	g, err := l.Garbage(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	lost := errors.New("lost")
	if err := l.Collect(t.Context(), g, func(context.Context) error { return lost }); !errors.Is(err, lost) || len(b.objects) != count {
		t.Errorf("without the lock: %v", err)
	}
	promoted(t, l, "meanwhile")
	count = len(b.objects)
	if err := l.Collect(t.Context(), g, allowed); !errors.Is(err, converge.ErrStale) || len(b.objects) != count {
		t.Errorf("after the pointer has moved: %v", err)
	}
	b.put(indexKey(digests[0]), []byte("{"))
	if g, err = l.Garbage(t.Context(), 1); err != nil || !slices.ContainsFunc(g.Releases, func(r Listed) bool { return r.Damage != nil }) {
		t.Errorf("a damaged release: %+v, %v", g.Releases, err)
	}
	b.put(indexKey(digests[5]), []byte("{")) // the previous one by now
	if _, err = l.Garbage(t.Context(), 1); err == nil || !strings.Contains(err.Error(), indexKey(digests[5])) {
		t.Errorf("a damaged release that is kept: %v", err)
	}
}

// The pointer remembers which release was current before, also over the same one
// again and over a destroy.
func TestPrevious(t *testing.T) {
	l := library(t, &memory{})
	previous := func() string {
		current, err := l.Current(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return current.Previous
	}
	one := promoted(t, l, "one")
	if got := previous(); got != "" {
		t.Errorf("before the first: %q", got)
	}
	two := promoted(t, l, "two")
	if got := previous(); got != one {
		t.Errorf("before the second: %q", got)
	}
	attempt(t, l, stage(t, l, single("died")))
	if promoted(t, l, "two"); previous() != one {
		t.Errorf("the second again: %q", previous())
	}
	was, err := l.Inventory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Promote(t.Context(), "", was, 1); err != nil || previous() != two {
		t.Errorf("after a destroy: %q, %v", previous(), err)
	}
}

// What is protected stays so when any release since says so; an object of a run that
// died is told from those of the current release.
func TestOrigins(t *testing.T) {
	l := library(t, &memory{})
	promoted(t, l, "one")
	parts := single("two")
	parts[0].Rules.Protect = []string{"ConfigMap/two"}
	attempt(t, l, stage(t, l, parts))
	secret := credentials("x")
	withSecret := single("two")
	withSecret[0].Objects = append(withSecret[0].Objects, secret)
	withSecret[0].Tokens = map[Ref][]string{RefOf("two", secret): {"key"}}
	attempt(t, l, stage(t, l, withSecret))
	i, err := l.Inventory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Origin{}
	for _, ref := range i.Refs {
		got[ref.Name] = i.Origin(ref)
	}
	if diff := cmp.Diff(map[string]Origin{"one": {Current: true}, "two": {Protect: true}, "credentials": {Tokens: true}}, got); diff != "" {
		t.Error(diff)
	}
	type had struct {
		n       int
		current bool
	}
	for addon, want := range map[string]had{"one": {1, true}, "two": {2, false}, "three": {}} {
		if n, current := i.Had(addon); n != want.n || current != want.current {
			t.Errorf("%s had %d objects, current: %t", addon, n, current)
		}
	}
}
