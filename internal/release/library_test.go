// SPDX-License-Identifier: Apache-2.0

package release

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/store"
)

// Equal content has an equal digest, and whatever changes changes it.
func TestDigest(t *testing.T) {
	base := mustNew(t, demo("a", "c2VjcmV0"))
	if again := mustNew(t, demo("a", "c2VjcmV0")); again.Digest != base.Digest {
		t.Error("equal releases have different digests")
	}
	changed := map[string]*Release{
		"object": mustNew(t, demo("b", "c2VjcmV0")),
		"secret": mustNew(t, demo("a", "b3RoZXI=")),
	}
	parts := demo("a", "c2VjcmV0")
	parts[1].Version = "2.1"
	changed["version"] = mustNew(t, parts)
	changed["fewer add-ons"] = mustNew(t, demo("a", "c2VjcmV0")[:1])
	for what, r := range changed {
		if r.Digest == base.Digest {
			t.Errorf("another %s has the same digest", what)
		}
	}
	otherKey, err := New("test", demo("a", "c2VjcmV0"), secret.NewString("other"))
	if err != nil || otherKey.Index.Addons[1].Secrets == base.Index.Addons[1].Secrets {
		t.Errorf("the name of the sealed part does not depend on the key (%v)", err)
	}
	if s := fmt.Sprintf("%v %+v %s", base, base, base); strings.Contains(s, "c2VjcmV0") {
		t.Error("printing a release shows a secret")
	}
}

func TestNewRefuses(t *testing.T) {
	twice := demo("a", "b")
	twice[0].Objects = append(twice[0].Objects, object("apps/v1beta1", "Deployment", "demo", "web"))
	tests := []struct {
		name  string
		parts []Part
		key   secret.Value
		want  string
	}{
		{"no key", demo("a", "b"), secret.Value{}, "making a release: there is no key to name sealed parts with"},
		{"twice", twice, key, "making a release: Deployment demo/web is in the add-ons base and demo"},
		{"no name", []Part{{Addon: "x", Objects: []*unstructured.Unstructured{{}}}}, key, "making a release of add-on x: an object lacks apiVersion, kind or name"},
	}
	for _, tt := range tests {
		if _, err := New("test", tt.parts, tt.key); err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
}

// What is fetched is what was staged; no secret is in the bucket in clear; and
// only what is not there is written.
func TestStageAndFetch(t *testing.T) {
	ctx := t.Context()
	b := &memory{}
	l := library(t, b)
	r := mustNew(t, demo("a", "c2VjcmV0"))
	if err := l.Stage(ctx, r); err != nil {
		t.Fatal(err)
	}
	if got := b.written(); len(got) != 4 || b.objects[indexKey(r.Digest)] == nil {
		t.Errorf("written: %v", got)
	}
	for name, data := range b.objects {
		if bytes.Contains(data, []byte("c2VjcmV0")) {
			t.Errorf("%s holds a secret in clear", name)
		}
	}
	got, err := l.Fetch(ctx, r.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r.Parts, got.Parts); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(r.Refs(), got.Refs()); diff != "" {
		t.Error(diff)
	}

	if err := l.Stage(ctx, mustNew(t, demo("a", "c2VjcmV0"))); err != nil || b.written() != nil {
		t.Errorf("staging the same again writes (%v)", err)
	}
	next := mustNew(t, demo("b", "c2VjcmV0"))
	want := []string{clearKey(next.Index.Addons[1].Objects), indexKey(next.Digest)}
	if missing, err := l.Missing(ctx, next); err != nil || !cmp.Equal(want, missing) {
		t.Errorf("Missing = %v, %v; want %v", missing, err, want)
	}
	if err := l.Stage(ctx, next); err != nil {
		t.Fatal(err)
	}
	if got := b.written(); !cmp.Equal(want, got) {
		t.Errorf("a change of one part wrote %v, want %v", got, want)
	}
	delete(b.objects, want[0])
	if err := l.Stage(ctx, next); err != nil || !cmp.Equal(want[:1], b.written()) {
		t.Errorf("an object that was lost is not staged again (%v)", err)
	}
}

// Any object of a release that is changed, cut short, replaced or missing is
// refused by name, and says what to do.
func TestFetchVerifies(t *testing.T) {
	ctx := t.Context()
	b := &memory{}
	l := library(t, b)
	r, other := mustNew(t, demo("a", "c2VjcmV0")), mustNew(t, demo("b", "b3RoZXI="))
	for _, r := range []*Release{r, other} {
		if err := l.Stage(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	entry, otherEntry := r.Index.Addons[1], other.Index.Addons[1]
	replacement := map[string]string{
		indexKey(r.Digest):       indexKey(other.Digest),
		clearKey(entry.Objects):  clearKey(otherEntry.Objects),
		sealedKey(entry.Secrets): sealedKey(otherEntry.Secrets),
	}
	damage := map[string]func(key string, data []byte) []byte{
		"changed":  func(_ string, data []byte) []byte { data[len(data)/2] ^= 1; return data },
		"cut":      func(_ string, data []byte) []byte { return data[:len(data)-1] },
		"emptied":  func(string, []byte) []byte { return []byte{} },
		"replaced": func(key string, _ []byte) []byte { return b.objects[replacement[key]] },
		"missing":  func(string, []byte) []byte { return nil },
	}
	for name := range replacement {
		for what, change := range damage {
			t.Run(what+" "+strings.Split(name, "/")[1], func(t *testing.T) {
				whole := b.objects[name]
				defer func() { b.objects[name] = whole }()
				if b.objects[name] = change(name, bytes.Clone(whole)); b.objects[name] == nil {
					delete(b.objects, name)
				}
				got, err := l.Fetch(ctx, r.Digest)
				if err == nil || got != nil || !strings.Contains(err.Error(), name) || hint.Of(err) == "" {
					t.Errorf("Fetch = %v, %v (hint %q)", got, err, hint.Of(err))
				}
			})
		}
	}
	if _, err := l.Fetch(ctx, r.Digest); err != nil {
		t.Errorf("undamaged: %v", err)
	}
	stranger := library(t, b)
	if _, err := stranger.Fetch(ctx, r.Digest); !errors.Is(err, secret.ErrNoIdentity) {
		t.Errorf("a stranger's fetch: %v", err)
	}
	if _, err := l.Fetch(ctx, "../current"); err == nil {
		t.Error("what is no digest is accepted")
	}
}

// A store that does not exist yet can be planned on.
func TestEmptyStore(t *testing.T) {
	ctx := t.Context()
	l := library(t, store.Empty{})
	r := mustNew(t, demo("a", "b"))
	if missing, err := l.Missing(ctx, r); err != nil || len(missing) != 4 {
		t.Errorf("Missing = %v, %v", missing, err)
	}
	if inventory, err := l.Inventory(ctx); err != nil || inventory.Refs != nil || inventory.Settled(r.Digest) {
		t.Errorf("Inventory = %+v, %v", inventory, err)
	}
}

// Which values of a Secret come from tokens is told by names, in the clear, and comes
// back with the release.
func TestTokensAreNamed(t *testing.T) {
	l := library(t, &memory{})
	parts := demo("a", "c2VjcmV0")
	parts[1].Tokens = map[Ref][]string{RefOf("demo", parts[1].Objects[0]): {"key"}}
	r := mustNew(t, parts)
	if err := l.Stage(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	got, err := l.Fetch(t.Context(), r.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(parts, got.Parts); diff != "" {
		t.Error(diff)
	}
	if again := mustNew(t, got.Parts); again.Digest != r.Digest {
		t.Error("what was read back makes another release")
	}
	if missing, err := l.Missing(t.Context(), got); err != nil || missing != nil {
		t.Errorf("a release that was read back lacks %v, %v", missing, err)
	}
}
