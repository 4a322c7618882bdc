// SPDX-License-Identifier: Apache-2.0

package custody

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"clusterup.dev/clusterup/internal/secret"
)

// Holders with PGP keys get shares that Vault seals: nothing here ever sees one of
// them. Vault can do that in a rekey alone without losing them with its answer, so the
// init deals a throwaway share, sealed to the runner like any other, and a rekey
// deals the real ones:
//
//	vault/<init>/rekey-<nonce>/0001-intent.json
//	                           0002-asked.json    what Vault calls the rekey; now it may be given the shares that complete it
//	                           answer.json        what Vault sealed, from its answer or from its own backup
//	                           0003-live.json     Vault takes these, and every one is stored for its holder
//	                           0003-dropped.json  nothing came of it
//
// Between asked and what follows it is not known which shares open Vault, and those of before
// are kept. While the set is live and its answer is still there, there is something left
// to delete: Vault's backup, and what the init had to throw away.

// PGP reports whether the shares are sealed to PGP keys. A set has one kind of
// holders only.
func (j Journal) PGP() bool {
	for _, key := range j.Keys {
		return secret.IsPGP(key)
	}
	return false
}

// Provisional reports whether the holders have no shares yet, and the throwaway one
// opens Vault as far as is known.
func (j Journal) Provisional() bool {
	return j.Throwaway && j.Shareholding().Nonce == j.Nonce
}

// Leftover is the live set of which something is left to delete.
func (j Journal) Leftover() (Journal, bool) {
	set := j.Shareholding()
	return set, set.Nonce != j.Nonce && set.PGP() && set.Answer
}

func throwaway(holders []Holder) bool {
	return slices.ContainsFunc(holders, func(h Holder) bool { return h.Throwaway })
}

// Asking records what Vault calls the rekey that is about to be completed.
func (e *Escrow) Asking(ctx context.Context, set Journal, attempt string) (Journal, error) {
	set.Attempt = attempt
	return e.add(ctx, set, record{State: Asked, Attempt: attempt})
}

// readAsked fills in what Vault calls the rekey of a set.
func (e *Escrow) readAsked(ctx context.Context, set *Journal) error {
	if !set.PGP() {
		return nil
	}
	var asked record
	if err := e.getJSON(ctx, recordIn(set.dir, 2, Asked), &asked); err != nil {
		return fmt.Errorf("the journal of a rekey: %w", err)
	}
	set.Attempt = asked.Attempt
	return nil
}

// SealedByVault is the answer of a rekey to PGP keys, ready to be kept: by the
// fingerprint of the key that they are sealed to, as many messages as its holder has
// shares. It is the same from Vault's answer and from its backup.
func (e *Escrow) SealedByVault(set Journal, messages map[string][][]byte) (*Sealed, error) {
	var out sealedAnswer
	for _, holder := range slices.Sorted(maps.Keys(set.Shares)) {
		mine := messages[secret.PGPFingerprint(set.Keys[holder])]
		if len(mine) != set.Shares[holder] {
			return nil, fmt.Errorf("vault sealed %d of %d key shares to %s, the PGP key of %s", len(mine), set.Shares[holder], set.Keys[holder], holder)
		}
		for i, message := range mine {
			if !secret.IsPGPMessage(message) {
				return nil, errors.New("what Vault gave as a sealed key share is no PGP message")
			}
			out.Shares = append(out.Shares, sealedShare{Holder: holder, N: i + 1, Sealed: message, PGP: true})
		}
	}
	data, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encoding the sealed shares: %w", err)
	}
	return &Sealed{key: answerKey(set), data: data}, nil
}

// Settle stores every share of a kept answer for its holder, reads it back, and
// records that the set is live. The caller knows that Vault takes it.
func (e *Escrow) Settle(ctx context.Context, set Journal) (Journal, error) {
	if err := e.hand(ctx, set); err != nil {
		return set, err
	}
	set, err := e.Record(ctx, set, Live)
	set.Answer = true
	return set, err
}

// Discard deletes the throwaway share of an init, after it has looked once more
// that every share of the live set is there.
func (e *Escrow) Discard(ctx context.Context, j Journal) error {
	set := j.Shareholding()
	if !j.Throwaway || set.Nonce == j.Nonce {
		return nil
	}
	places, err := e.places(ctx, set)
	if err != nil {
		return err
	}
	for holder, n := range set.Shares {
		has := 0
		for _, p := range places {
			if p.holder == holder {
				has++
			}
		}
		if has != n {
			return fmt.Errorf("the bucket has %d of the %d key shares of %s, so the throwaway share stays", has, n, holder)
		}
	}
	if err := e.sweep(ctx, keysPrefix+j.Nonce+"/"); err != nil || j.State != Revoked {
		return err // the answer has the root token too, which goes when that is revoked
	}
	return e.Forget(ctx, j)
}
