// SPDX-License-Identifier: Apache-2.0

package custody

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/store"
)

// A receipt lets a holder prove that they can open the very share that was dealt
// to them, and lets anybody check it, without showing the share. At the init
// SHA-256(proof) is stored beside the share, where
//
//	proof = HMAC-SHA-256(key: the share, "clusterup share receipt/<nonce>/<holder>/<n>")
//
// The holder confirms by revealing the proof. Neither tells anything of a share,
// which has 256 random bits: a proof is made with a key that cannot be guessed,
// and is worth something for this place of this init alone.

// receipt is keys/<nonce>/<holder>-<n>.receipt.json.
type receipt struct {
	SHA256 string `json:"sha256"` // of the proof, in hex
}

// confirmation is keys/<nonce>/<holder>-<n>.confirmed.json.
type confirmation struct {
	Proof string    `json:"proof"` // in hex
	At    time.Time `json:"at"`
	// Of a holder with a PGP key: what the share took part in, and who ran that and
	// said whose it was.
	Act string `json:"act,omitempty"`
	By  string `json:"by,omitempty"`
}

// prove makes the proof of a share.
func (p place) prove(share secret.Value) []byte {
	mac := hmac.New(sha256.New, share.Reveal())
	fmt.Fprintf(mac, "clusterup share receipt/%s/%s/%d", p.nonce, p.holder, p.n)
	return mac.Sum(nil)
}

// receiptFor is what is stored of a proof.
func receiptFor(proof []byte) receipt {
	sum := sha256.Sum256(proof)
	return receipt{SHA256: hex.EncodeToString(sum[:])}
}

// holds reports whether a proof is the one that the receipt is for.
func (r receipt) holds(proof []byte) bool {
	return subtle.ConstantTimeCompare([]byte(r.SHA256), []byte(receiptFor(proof).SHA256)) == 1
}

// putJSON stores a small object under a new key and reads it back. One that is
// there already stays: the error wraps store.ErrExists when it is another one.
func (e *Escrow) putJSON(ctx context.Context, key string, object any) error {
	data, err := json.Marshal(object)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", key, err)
	}
	_, was := e.Bucket.PutNew(ctx, key, data)
	if was != nil && !errors.Is(was, store.ErrExists) {
		return fmt.Errorf("storing %s: %w", key, was)
	}
	if err := e.proven(ctx, key, data); err != nil {
		return errors.Join(err, was)
	}
	return nil
}

// getJSON reads a small object.
func (e *Escrow) getJSON(ctx context.Context, key string, into any) error {
	data, _, err := e.Bucket.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("reading %s: %w", key, err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("reading %s: %w", key, err)
	}
	return nil
}

// receiptOf reads the receipt of a place; ok is false for one that an older
// version dealt, which wrote none.
func (e *Escrow) receiptOf(ctx context.Context, p *place) (r receipt, ok bool, err error) {
	if !p.receipt {
		return r, false, nil
	}
	err = e.getJSON(ctx, p.key(receiptSuffix), &r)
	return r, err == nil, err
}

// errUnproven is a confirmation that does not match its receipt.
var errUnproven = errors.New("it does not match the receipt: it was not made with the share that was dealt")

// confirmationOf reads the confirmation of a place and checks it as anybody
// could. It is zero when there is none.
func (e *Escrow) confirmationOf(ctx context.Context, p *place) (c confirmation, err error) {
	if !p.confirmed {
		return c, nil
	}
	if err := e.getJSON(ctx, p.key(confirmedSuffix), &c); err != nil {
		return c, err
	}
	r, ok, err := e.receiptOf(ctx, p)
	if err != nil {
		return c, err
	}
	proof, err := hex.DecodeString(c.Proof)
	if err != nil || !ok || !r.holds(proof) {
		return confirmation{}, fmt.Errorf("checking %s: %w", p.key(confirmedSuffix), errUnproven)
	}
	return c, nil
}
