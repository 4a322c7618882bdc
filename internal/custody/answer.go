// SPDX-License-Identifier: Apache-2.0

package custody

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/store"
)

// Answer is what init handed out, in clear and only in memory.
type Answer struct {
	Shares []secret.Value // raw bytes
	Root   secret.Value
}

// Wipe overwrites all of it.
func (a *Answer) Wipe() {
	for _, s := range a.Shares {
		s.Wipe()
	}
	a.Root.Wipe()
}

// sealedAnswer is an Answer at rest.
type sealedAnswer struct {
	Shares []sealedShare `json:"shares"`
	Root   []byte        `json:"root,omitempty"` // sealed to the runner; a rekey has none
}

type sealedShare struct {
	Holder string `json:"holder"`
	N      int    `json:"n"` // from 1, for each holder
	Sealed []byte `json:"sealed"`
	PGP    bool   `json:"pgp,omitempty"` // Vault sealed it
	// Receipt is what is kept of the share's proof; an answer that an older
	// version kept has none.
	Receipt *receipt `json:"receipt,omitempty"`
}

// Sealed is an answer in sealed form, ready to be kept. It can be kept again
// after a put that failed.
type Sealed struct {
	key  string
	data []byte
}

// SealAnswer seals every share to its holder, in the order of holders, with a
// receipt for each, and the root token to the runner.
func (e *Escrow) SealAnswer(j Journal, holders []Holder, a *Answer) (*Sealed, error) {
	var out sealedAnswer
	next := 0
	for _, h := range holders {
		for n := 1; n <= h.Shares; n++ {
			if next == len(a.Shares) {
				return nil, fmt.Errorf("%d shares are not enough for the holders", len(a.Shares))
			}
			sealed, err := sealShare(a.Shares[next], h)
			if err != nil {
				return nil, err
			}
			kept := receiptFor(place{nonce: j.Nonce, holder: h.Name, n: n}.prove(a.Shares[next]))
			out.Shares = append(out.Shares, sealedShare{Holder: h.Name, N: n, Sealed: sealed, Receipt: &kept})
			next++
		}
	}
	if next != len(a.Shares) {
		return nil, fmt.Errorf("%d shares for %d places", len(a.Shares), next)
	}
	var err error
	if a.Root.IsZero() { // of a rekey
	} else if out.Root, err = secret.Seal(a.Root.Reveal(), []secret.Recipient{e.Runner.Recipient}); err != nil {
		return nil, fmt.Errorf("sealing the root token to %s: %w", e.Runner.Name, err)
	}
	data, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encoding the sealed shares: %w", err)
	}
	return &Sealed{key: answerKey(j), data: data}, nil
}

func sealShare(share secret.Value, h Holder) ([]byte, error) {
	text := make([]byte, base64.StdEncoding.EncodedLen(len(share.Reveal())))
	defer clear(text)
	base64.StdEncoding.Encode(text, share.Reveal())
	sealed, err := secret.Seal(text, []secret.Recipient{h.Recipient})
	if err != nil {
		return nil, fmt.Errorf("sealing a share to %s: %w", h.Name, err)
	}
	return sealed, nil
}

// Keep stores a sealed answer and reads it back. An error leaves it unknown
// whether it is stored; repeating settles that.
func (e *Escrow) Keep(ctx context.Context, s *Sealed) error {
	_, err := e.Bucket.PutNew(ctx, s.key, s.data)
	if err != nil && !errors.Is(err, store.ErrExists) {
		return fmt.Errorf("storing %s: %w", s.key, err)
	}
	return e.proven(ctx, s.key, s.data)
}

// answer reads the answer object.
func (e *Escrow) answer(ctx context.Context, j Journal) (sealedAnswer, error) {
	var a sealedAnswer
	data, _, err := e.Bucket.Get(ctx, answerKey(j))
	if err != nil {
		return a, fmt.Errorf("reading %s: %w", answerKey(j), err)
	}
	if err := json.Unmarshal(data, &a); err != nil {
		return a, fmt.Errorf("reading %s: %w", answerKey(j), err)
	}
	return a, nil
}

// Root opens the first root token. The error wraps store.ErrNotFound when the
// sealed copy is gone, and is a *NeedHolders when another operator began.
func (e *Escrow) Root(ctx context.Context, j Journal) (secret.Value, error) {
	a, err := e.answer(ctx, j)
	if err != nil {
		return secret.Value{}, err
	}
	root, err := secret.Open(a.Root, e.Identities)
	switch {
	case errors.Is(err, secret.ErrNoIdentity):
		return secret.Value{}, &NeedHolders{What: "the first root token", Names: []string{j.Runner}}
	case err != nil:
		return secret.Value{}, fmt.Errorf("opening the first root token: %w", err)
	}
	return root, nil
}

// Forget deletes the answer object, once its root token is worth nothing and its
// shares are dealt.
func (e *Escrow) Forget(ctx context.Context, j Journal) error {
	if err := e.Bucket.Delete(ctx, answerKey(j)); err != nil {
		return fmt.Errorf("deleting %s: %w", answerKey(j), err)
	}
	return nil
}

func answerKey(j Journal) string { return j.folder() + answerName }
