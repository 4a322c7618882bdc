// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"testing"

	"clusterup.dev/clusterup/internal/hint"
)

func TestDamagedAndForeignTokensAreRefusedByName(t *testing.T) {
	id, stranger := newTestIdentity(t), newTestIdentity(t)
	gossip := Spec{Addon: "consul", Name: "gossip", Kind: GossipKey}
	ca := Spec{Addon: "consul", Name: "ca", Kind: CA}
	leaf := Spec{Addon: "consul", Name: "agent", Kind: Cert, CA: "consul/ca", Client: true}
	put := func(m *memory, spec Spec, plain string) {
		sealed, err := Seal([]byte(plain), []Recipient{id.Recipient()})
		if err != nil {
			t.Fatal(err)
		}
		m.objects[keyOf(spec.ID(), 1)] = sealed
	}
	for name, c := range map[string]struct {
		spoil  func(*memory)
		runner Identity
		want   string
		hint   string
	}{
		"sealed to others": {
			func(*memory) {}, stranger,
			"token consul/agent: it is sealed to others", "run with the private key of one of the operators: --identity FILE",
		},
		"a changed byte": {
			func(m *memory) { d := m.objects[keyOf("consul/gossip", 1)]; d[len(d)-1] ^= 1 }, id,
			"token consul/gossip (tokens/consul/gossip/000001.age) is damaged: opening: failed to decrypt and authenticate payload chunk, file may be corrupted or tampered with", "",
		},
		"cut short": {
			func(m *memory) { k := keyOf("consul/gossip", 1); m.objects[k] = m.objects[k][:20] }, id,
			"token consul/gossip (tokens/consul/gossip/000001.age) is damaged: opening: failed to read header: parsing age header: unexpected EOF reading intro: \"age-encryption.org/v\"", "",
		},
		"not json": {
			func(m *memory) { put(m, gossip, canary) }, id,
			"token consul/gossip (tokens/consul/gossip/000001.age) is damaged", "",
		},
		"no secret": {
			func(m *memory) { put(m, gossip, `{"id":"consul/gossip","kind":"gossip-key"}`) }, id,
			"token consul/gossip (tokens/consul/gossip/000001.age) is empty", "",
		},
		"another token's object": {
			func(m *memory) { m.objects[keyOf("consul/gossip", 1)] = m.objects[keyOf("consul/ca", 1)] }, id,
			"tokens/consul/gossip/000001.age holds the token consul/ca", "",
		},
		"another kind": {
			func(m *memory) { put(m, gossip, `{"id":"consul/gossip","kind":"password","secret":"x"}`) }, id,
			"token consul/gossip is stored as a password, and has to be a gossip-key", "",
		},
		"a CA made anew": {
			func(m *memory) {
				delete(m.objects, keyOf("consul/ca", 1))
				if err := keeperOf(m, id).Make(t.Context(), []Spec{ca}); err != nil {
					t.Fatal(err)
				}
			}, id, "token consul/agent was not issued by consul/ca",
			"delete the objects below tokens/consul/agent/ in the bucket, and it is issued anew",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			if err := keeperOf(m, id).Make(t.Context(), []Spec{gossip, ca, leaf}); err != nil {
				t.Fatal(err)
			}
			c.spoil(m)
			specs := []Spec{gossip, ca, leaf}
			if c.runner.Public() == stranger.Public() {
				specs = specs[2:] // one, so that it is certain which is named
			}
			_, err := keeperOf(m, c.runner).Load(t.Context(), specs)
			if err == nil || err.Error() != c.want || hint.Of(err) != c.hint {
				t.Errorf("got  %v (%s)\nwant %s (%s)", err, hint.Of(err), c.want, c.hint)
			}
		})
	}
}

func TestALeafNeedsItsCA(t *testing.T) {
	k := keeperOf(newMemory(), newTestIdentity(t))
	leaf := Spec{Addon: "consul", Name: "agent", Kind: Cert, CA: "consul/ca", Client: true}
	err := k.Make(t.Context(), []Spec{leaf})
	if err == nil || err.Error() != "token consul/agent: there is no token consul/ca to issue it" {
		t.Errorf("got %v", err)
	}
}

func TestSpecsThatMakeNoSenseAreRefused(t *testing.T) {
	for want, spec := range map[string]Spec{
		"token A/b: a name has lower-case letters, digits and dashes":    {Addon: "A", Name: "b", Kind: CA},
		"token a/../b: a name has lower-case letters, digits and dashes": {Addon: "a", Name: "../b", Kind: CA},
		"token a/b: kind is missing":                                     {Addon: "a", Name: "b"},
		`token a/b: unknown kind "uuid"`:                                 {Addon: "a", Name: "b", Kind: "uuid"},
		"token a/b: length is 8, and has to be from 16 to 256":           {Addon: "a", Name: "b", Kind: Password, Length: 8},
		"token a/b: length is -1, and has to be from 16 to 256":          {Addon: "a", Name: "b", Kind: Password, Length: -1},
		"token a/b: a cert needs ca, the token that issues it":           {Addon: "a", Name: "b", Kind: Cert, Client: true},
		"token a/b: a cert needs server or client, or both":              {Addon: "a", Name: "b", Kind: Cert, CA: "a/ca"},
		"token a/b: a server's cert needs dns or ips":                    {Addon: "a", Name: "b", Kind: Cert, CA: "a/ca", Server: true},
		`token a/b: "localhost" is not an IP address`:                    {Addon: "a", Name: "b", Kind: Cert, CA: "a/ca", Server: true, IPs: []string{"localhost"}},
	} {
		bucket := newMemory()
		err := keeperOf(bucket, newTestIdentity(t)).Make(t.Context(), []Spec{spec})
		if err == nil || err.Error() != want || len(bucket.objects) > 0 {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
