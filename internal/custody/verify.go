// SPDX-License-Identifier: Apache-2.0

package custody

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/store"
)

// Verified is a share that its holder opened. It holds nothing of the share.
type Verified struct {
	Holder    string    `json:"holder"`
	N         int       `json:"n"`
	Confirmed time.Time `json:"confirmed,omitzero"` // zero: there is no receipt to confirm against
	Before    bool      `json:"before"`             // it was confirmed by an earlier run
}

// Verify opens every share that this run's identities can open, checks it against
// its receipt and records the proof that it was opened. What is wrong with one
// share does not keep the others from being confirmed; the errors say whose it is.
func (e *Escrow) Verify(ctx context.Context, j Journal) ([]Verified, error) {
	if j.PGP() {
		return nil, errPGP()
	}
	places, err := e.places(ctx, j)
	if err != nil {
		return nil, err
	}
	var verified []Verified
	var errs []error
	for _, p := range places {
		v, opened, err := e.verify(ctx, j, p)
		switch {
		case err != nil:
			errs = append(errs, err)
		case opened:
			verified = append(verified, v)
		}
	}
	if len(verified)+len(errs) == 0 {
		errs = append(errs, hint.With(errors.New("none of the key shares is sealed to your identity"), "name the key that yours are sealed to with --identity: `clusterup vault keys ENV` shows its public half"))
	}
	return verified, errors.Join(errs...)
}

// verify is Verify for one place; opened is false for another holder's share.
func (e *Escrow) verify(ctx context.Context, j Journal, p *place) (v Verified, opened bool, err error) {
	share, err := e.openShare(ctx, p)
	switch {
	case errors.Is(err, secret.ErrNoIdentity) && !e.mine(j.Keys[p.holder]):
		return v, false, nil
	case ctx.Err() != nil:
		return v, false, context.Cause(ctx)
	case err != nil:
		return v, false, p.spoiled(err)
	}
	defer share.Wipe()
	v = Verified{Holder: p.holder, N: p.n}
	r, ok, err := e.receiptOf(ctx, p)
	switch {
	case err != nil:
		return v, false, err
	case !ok:
		return v, true, nil
	}
	proof := p.prove(share)
	if !r.holds(proof) {
		return v, false, p.spoiled(errors.New("it opens, and is not the share that was dealt"))
	}
	if !p.confirmed {
		c := confirmation{Proof: hex.EncodeToString(proof), At: time.Now().UTC().Truncate(time.Second)}
		err := e.putJSON(ctx, p.key(confirmedSuffix), c)
		if err == nil {
			v.Confirmed = c.At
			return v, true, nil
		}
		if !errors.Is(err, store.ErrExists) { // the same holder was faster elsewhere
			return v, false, err
		}
		p.confirmed = true
	}
	c, err := e.confirmationOf(ctx, p)
	v.Confirmed, v.Before = c.At, true
	return v, err == nil, err
}

// mine reports whether a public key, as the journal keeps it, is that of one of
// this run's identities.
func (e *Escrow) mine(key string) bool {
	return slices.ContainsFunc(e.Identities, func(i secret.Identity) bool { return i.Public() == key })
}

// errPGP says what holders with PGP keys do instead.
func errPGP() error {
	return hint.With(errors.New("the key shares are sealed to PGP keys, which only their holders open, and there is nothing to check them by"),
		"open yours with `gpg -d FILE`, which shows 64 or 66 letters and digits; it is confirmed when it is used: `clusterup vault generate-root ENV --share-of HOLDER=FILE ... -- true`")
}

func (p *place) spoiled(cause error) error {
	return hint.With(fmt.Errorf("key share %d of %s is damaged, or is not what was dealt: %w", p.n, p.holder, cause),
		"put that object back as it was delivered to %s, or from the bucket's older versions; if there is no good copy, this share is lost, and the others have to be enough: see docs/vault.md", p.holder)
}
