// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"clusterup.dev/clusterup/internal/hint"
)

// stored is the plaintext of a sealed token. It names the token, so that an
// object moved to another key is noticed.
type stored struct {
	ID     string `json:"id"`
	Kind   Kind   `json:"kind"`
	Secret string `json:"secret"`
	Public string `json:"public,omitempty"`
}

func (t token) seal(to []Recipient) ([]byte, error) {
	plain, err := json.Marshal(stored{ID: t.spec.ID(), Kind: t.spec.Kind, Secret: t.secret.RevealString(), Public: t.public})
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return Seal(plain, to)
}

// read fetches and opens one token and checks that it is what spec asks for.
func (k *Keeper) read(ctx context.Context, key string, spec Spec) (token, error) {
	sealed, err := k.Bucket.Get(ctx, key)
	if err != nil {
		return token{}, fmt.Errorf("reading token %s: %w", spec.ID(), err)
	}
	plain, err := Open(sealed, k.Identities)
	switch {
	case errors.Is(err, ErrNoIdentity):
		return token{}, hint.With(fmt.Errorf("token %s: %w", spec.ID(), err),
			"run with the private key of one of the operators: --identity FILE")
	case err != nil:
		return token{}, fmt.Errorf("token %s (%s) is damaged: %w", spec.ID(), key, err)
	}
	defer plain.Wipe()
	var s stored
	if err := json.Unmarshal(plain.Reveal(), &s); err != nil {
		return token{}, fmt.Errorf("token %s (%s) is damaged", spec.ID(), key) // the cause could quote it
	}
	switch {
	case s.ID != spec.ID():
		return token{}, fmt.Errorf("%s holds the token %s", key, s.ID)
	case s.Kind != spec.Kind:
		return token{}, fmt.Errorf("token %s is stored as a %s, and has to be a %s", spec.ID(), s.Kind, spec.Kind)
	case s.Secret == "":
		return token{}, fmt.Errorf("token %s (%s) is empty", spec.ID(), key)
	}
	return token{spec: spec, secret: NewString(s.Secret), public: s.Public}, nil
}

// checkCertificates refuses a certificate whose CA has been replaced since.
func (s *Set) checkCertificates() error {
	for _, id := range s.IDs() {
		leaf, ca := s.tokens[id], s.tokens[s.tokens[id].spec.CA]
		if leaf.spec.Kind != Cert || ca.spec.Kind != CA {
			continue
		}
		cert, err := decodeCertificate(leaf.public)
		if err != nil {
			return fmt.Errorf("token %s: %w", id, err)
		}
		issuers, err := decodeCertificates(ca.public)
		if err != nil {
			return fmt.Errorf("token %s: %w", ca.spec.ID(), err)
		}
		if issuer(cert, issuers) < 0 {
			return hint.With(fmt.Errorf("token %s was not issued by %s", id, ca.spec.ID()),
				"delete the objects below %s%s/ in the bucket, and it is issued anew", prefix, id)
		}
	}
	return nil
}
