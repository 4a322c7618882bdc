// SPDX-License-Identifier: Apache-2.0

package release

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/converge"
)

func single(name string) []Part {
	return []Part{{Addon: name, Version: "1", Objects: []*unstructured.Unstructured{object("v1", "ConfigMap", "demo", name)}}}
}

func stage(t *testing.T, l *Library, parts []Part) string {
	t.Helper()
	r := mustNew(t, parts)
	if err := l.Stage(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return r.Digest
}

func attempt(t *testing.T, l *Library, digest string) {
	t.Helper()
	if err := l.Attempt(t.Context(), digest); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, l *Library) []string {
	t.Helper()
	inventory, err := l.Inventory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, ref := range inventory.Refs {
		names = append(names, ref.Name)
	}
	return names
}

// The inventory holds what current holds and what attempts since then brought,
// also those that died; a promotion forgets what was pruned before it.
func TestInventory(t *testing.T) {
	ctx := t.Context()
	b := &memory{}
	l := library(t, b)
	one, two, three := stage(t, l, single("one")), stage(t, l, single("two")), stage(t, l, single("three"))

	attempt(t, l, one)
	inventory, err := l.Inventory(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := []Ref{{APIVersion: "v1", Kind: "ConfigMap", Namespace: "demo", Name: "one", Addon: "one"}}
	if diff := cmp.Diff(want, inventory.Refs); diff != "" || inventory.Settled(one) {
		t.Error(diff, inventory.Settled(one))
	}
	if err := l.Promote(ctx, one, inventory, 1); err != nil {
		t.Fatal(err)
	}

	attempt(t, l, two) // dies
	b.written()
	attempt(t, l, two) // again: known
	attempt(t, l, one) // current: known
	if got := b.written(); got != nil {
		t.Errorf("attempts that are known are written: %v", got)
	}
	if diff := cmp.Diff([]string{"one", "two"}, names(t, l)); diff != "" {
		t.Error(diff)
	}
	// The inventory that three was planned with: its own attempt comes later.
	planned, err := l.Inventory(ctx)
	if err != nil {
		t.Fatal(err)
	}
	attempt(t, l, three)
	if err := l.Promote(ctx, three, planned, 2); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"three"}, names(t, l)); diff != "" {
		t.Error(diff)
	}
	settled, err := l.Inventory(ctx)
	if err != nil || !settled.Settled(three) || settled.Settled(one) {
		t.Errorf("not settled on what was promoted: %+v, %v", settled, err)
	}
	b.written()
	if err := l.Promote(ctx, three, settled, 3); err != nil || b.written() != nil {
		t.Errorf("promoting what is current writes (%v)", err)
	}
	if err := l.Promote(ctx, "", settled, 3); err != nil {
		t.Fatal(err)
	}
	if got := names(t, l); got != nil {
		t.Errorf("after everything was deleted: %v", got)
	}
}

// An attempt by a run that has lost the lock without knowing stays in the
// inventory whenever it comes.
func TestInventoryKeepsLateAttempts(t *testing.T) {
	ctx := t.Context()
	l := library(t, &memory{})
	one, two := stage(t, l, single("one")), stage(t, l, single("two"))
	planned, err := l.Inventory(ctx)
	if err != nil {
		t.Fatal(err)
	}
	attempt(t, l, two) // the other's
	attempt(t, l, one)
	if err := l.Promote(ctx, one, planned, 1); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"one", "two"}, names(t, l)); diff != "" {
		t.Error(diff)
	}
}

// Two runs that take the same number both end up with an attempt.
func TestAttemptRace(t *testing.T) {
	b := &memory{}
	l := library(t, b)
	one, two := stage(t, l, single("one")), stage(t, l, single("two"))
	b.beforePut = func(string) { attempt(t, l, one) }
	attempt(t, l, two)
	if diff := cmp.Diff([]string{"one", "two"}, names(t, l)); diff != "" {
		t.Error(diff)
	}
}

// The pointer is moved only by whoever saw it last, and never by an older lock.
func TestPromoteRefuses(t *testing.T) {
	ctx := t.Context()
	l := library(t, &memory{})
	one, two := stage(t, l, single("one")), stage(t, l, single("two"))
	none, err := l.Inventory(ctx)
	if err != nil {
		t.Fatal(err)
	}
	promote := func(ctx context.Context, digest string, was Inventory, fence int64) error {
		return l.Promote(ctx, digest, was, fence)
	}
	if err := promote(ctx, one, none, 5); err != nil {
		t.Fatal(err)
	}
	if err := promote(ctx, two, none, 6); !errors.Is(err, converge.ErrStale) {
		t.Errorf("a first promotion over another one: %v", err)
	}
	was, err := l.Inventory(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := promote(ctx, two, was, 4); !errors.Is(err, converge.ErrStale) {
		t.Errorf("a promotion under an older lock: %v", err)
	}
	if err := promote(ctx, two, was, 5); err != nil {
		t.Error(err)
	}
	if err := promote(ctx, one, was, 7); !errors.Is(err, converge.ErrStale) {
		t.Errorf("a promotion from an old state: %v", err)
	}
	if current, err := l.Current(ctx); err != nil || current.Digest != two || current.Fence != 5 {
		t.Errorf("Current = %+v, %v", current, err)
	}
}

// A damaged pointer or attempt is refused by name rather than taken for none.
func TestDamagedRecords(t *testing.T) {
	ctx := t.Context()
	for _, name := range []string{currentKey, attemptsPrefix + "00000001.json"} {
		b := &memory{}
		l := library(t, b)
		for _, content := range []string{"", "{", "{}", `{"kind":"Current","release":"x"}`, `{"kind":"Attempt"}`} {
			b.put(name, []byte(content))
			if _, err := l.Inventory(ctx); err == nil {
				t.Errorf("%s with %q is accepted", name, content)
			}
		}
	}
}
