// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"testing"
)

func TestFakesHaveTheShapeAndNothingElseOfTheSecrets(t *testing.T) {
	k := keeperOf(newMemory(), newTestIdentity(t))
	if err := k.Make(t.Context(), everyKind()); err != nil {
		t.Fatal(err)
	}
	set := load(t, k, everyKind())
	one, again, other := set.WithFakeSecrets("1"), set.WithFakeSecrets("1"), set.WithFakeSecrets("2")
	seen := make(map[string]string)
	for _, s := range everyKind() {
		real, _ := set.Secret(s.ID())
		fake, ok := one.Secret(s.ID())
		if !ok || fake.Equal(real) {
			t.Errorf("%s is not another", s.ID())
		}
		if len(fake.Reveal()) != len(real.Reveal()) {
			t.Errorf("%s has %d bytes and its fake %d", s.ID(), len(real.Reveal()), len(fake.Reveal()))
		}
		checkSecret(t, s, fake)
		if public, _ := set.Public(s.ID()); !equalPublic(one, s.ID(), public) {
			t.Errorf("%s has another public half", s.ID())
		}
		if v, _ := again.Secret(s.ID()); !v.Equal(fake) {
			t.Errorf("%s differs with the same seed", s.ID())
		}
		if v, _ := other.Secret(s.ID()); v.Equal(fake) {
			t.Errorf("%s is the same with another seed", s.ID())
		}
		if before, twice := seen[fake.RevealString()]; twice {
			t.Errorf("%s and %s have the same fake", s.ID(), before)
		}
		seen[fake.RevealString()] = s.ID()
	}
}

func equalPublic(s *Set, id, want string) bool {
	got, ok := s.Public(id)
	return ok && got == want
}

func TestPlaceholdersNameTheirTokens(t *testing.T) {
	set := Placeholders(everyKind())
	if v, ok := set.Secret("consul/gossip"); !ok || v.RevealString() != "<consul/gossip>" {
		t.Errorf("the secret is %q", v.RevealString())
	}
	if p, ok := set.Public("consul/ca"); !ok || p != "<public consul/ca>" {
		t.Errorf("the public half is %q", p)
	}
	for _, s := range everyKind() { // a placeholder that depends on a secret is found as well
		fake, _ := set.WithFakeSecrets("1").Secret(s.ID())
		checkSecret(t, s, fake)
	}
	if len(set.Values()) != len(everyKind()) || len(set.IDs()) != len(everyKind()) {
		t.Errorf("%d values of %d tokens", len(set.Values()), len(everyKind()))
	}
}

func TestAnEmptySetHasNothing(t *testing.T) {
	for _, set := range []*Set{nil, {}, Placeholders(nil), (*Set)(nil).WithFakeSecrets("x")} {
		if _, ok := set.Secret("a/b"); ok {
			t.Error("a secret")
		}
		if _, ok := set.Public("a/b"); ok || len(set.Values()) > 0 {
			t.Error("a public half")
		}
	}
}

func TestHMACTellsPiecesApart(t *testing.T) {
	key := NewString("k")
	digests := []string{
		HMAC(key), HMAC(key, nil), HMAC(key, []byte("ab")), HMAC(key, []byte("a"), []byte("b")), HMAC(key, []byte("ab"), nil),
		HMAC(NewString("other"), []byte("ab")),
	}
	seen := make(map[string]bool)
	for i, d := range digests {
		if len(d) != 64 || seen[d] {
			t.Errorf("digest %d is %s", i, d)
		}
		seen[d] = true
	}
	if HMAC(key, []byte("ab")) != digests[2] {
		t.Error("the same data gives another digest")
	}
}
