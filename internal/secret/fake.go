// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"fmt"
)

// WithFakeSecrets is the same tokens with the same public halves and other
// secrets of the same shape, the same ones for the same seed. What is rendered
// with both and differs depends on a secret.
func (s *Set) WithFakeSecrets(seed string) *Set {
	fake := &Set{tokens: make(map[string]token)}
	for _, id := range s.IDs() {
		t := s.tokens[id]
		t.secret = fakeSecret(t.spec, seed)
		fake.tokens[id] = t
	}
	return fake
}

func fakeSecret(s Spec, seed string) Value {
	random := &stream{seed: seed, id: s.ID()}
	if s.Kind == CA || s.Kind == Cert {
		return fakeKey(random)
	}
	v, err := text(s, random)
	if err != nil { // a kind that has no shape
		return NewString("<fake " + s.ID() + " " + seed + ">")
	}
	return v
}

// fakeKey tries until the bytes are a key: all but one in 2^32 are.
func fakeKey(random *stream) Value {
	raw := make([]byte, 32)
	for {
		_, _ = random.Read(raw)
		key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
		if err != nil {
			continue
		}
		if v, err := encodeKey(key); err == nil {
			return v
		}
	}
}

// stream is bytes without end that follow from a seed. Fakes are not secret.
type stream struct {
	seed, id string
	count    int
	rest     []byte
}

func (r *stream) Read(p []byte) (int, error) {
	for i := range p {
		if len(r.rest) == 0 {
			r.rest = mac([]byte(r.seed), []byte(r.id), fmt.Append(nil, r.count))
			r.count++
		}
		p[i], r.rest = r.rest[0], r.rest[1:]
	}
	return len(p), nil
}
