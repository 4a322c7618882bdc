// SPDX-License-Identifier: Apache-2.0

// Package custody keeps what a Vault init hands out: the key shares, each sealed
// to the one who holds it, and the first root token, sealed to whoever runs
// until it is revoked. It also keeps the journal that tells a later run how far
// an init got. Nothing here is ever stored in clear, and nothing is overwritten.
//
// # Objects
//
//	vault/<nonce>/<seq>-<state>.json   journal, create-only; the last record is where the init stands
//	vault/<nonce>/answer.json          all shares and the root token, sealed; the first thing written after
//	                                   init, in one put; deleted once the root token is revoked
//	keys/<nonce>/<holder>-<n>.age      one share, sealed to one holder, create-only; .gpg: Vault
//	                                   sealed it to a PGP key, see pgp.go
//	  .receipt.json                    beside it: a digest by which the holder can prove that they opened it
//	  .confirmed.json                  the holder's proof, once they gave it
//	  .delivered-<way>.json            where and when the sealed share was sent
//
// The answer is one object so that there is one put between Vault's answer and
// safety. The plaintext of a share is its base64 text, as Vault prints it: a
// holder needs no more than age to open it.
//
// Everything is found again by listing. A nonce begins with the time, so that
// the newest init is the last one listed.
package custody

import (
	"context"
	"fmt"

	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/store"
)

// Bucket is the part of store.Bucket that is needed here.
type Bucket interface {
	Get(ctx context.Context, key string) ([]byte, store.Version, error)
	PutNew(ctx context.Context, key string, data []byte) (store.Version, error)
	List(ctx context.Context, prefix string) ([]store.Entry, error)
	Delete(ctx context.Context, key string) error
}

// Holder holds key shares.
type Holder struct {
	Name      string // an operator's name
	Recipient secret.Recipient
	PGP       secret.PGPKey // instead of Recipient
	Shares    int
	// Throwaway marks the one who has the first shares only until the holders get theirs.
	Throwaway bool
}

// Key names the public key of a holder, as the journal keeps it.
func (h Holder) Key() string {
	if !h.PGP.IsZero() {
		return h.PGP.String()
	}
	return h.Recipient.String()
}

// Escrow keeps and gives back. Its methods are safe to repeat; two runs at the
// same time are kept apart by the run lock.
type Escrow struct {
	Bucket Bucket
	// Runner is whoever runs: the root token is sealed to them. Its Shares
	// do not matter here.
	Runner Holder
	// Identities are what this run can open with.
	Identities []secret.Identity
}

// putProven stores data under a new key and reads it back.
func (e *Escrow) putProven(ctx context.Context, key string, data []byte) error {
	if _, err := e.Bucket.PutNew(ctx, key, data); err != nil {
		return fmt.Errorf("storing %s: %w", key, err)
	}
	return e.proven(ctx, key, data)
}

// proven reads a key back and compares it with what was stored.
func (e *Escrow) proven(ctx context.Context, key string, data []byte) error {
	got, _, err := e.Bucket.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("reading back %s: %w", key, err)
	}
	if string(got) != string(data) {
		return fmt.Errorf("reading back %s: it is not what was stored", key)
	}
	return nil
}
