// SPDX-License-Identifier: Apache-2.0

package custody

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

// sealedHead is how a file sealed with age begins.
const sealedHead = "age-encryption.org/"

// Hand collects opened shares of one init until there are as many as the
// threshold. Whoever holds it wipes it.
type Hand struct {
	escrow  *Escrow
	journal Journal
	places  []*place
	shares  []held
	damaged map[*place]error
}

// held is an opened share; its place is nil when it cannot be told whose it is,
// because the init has no receipts.
type held struct {
	place *place
	claim string // whose it is said to be, "" for nothing
	share secret.Value
}

// Collect opens what this run's identities can of the shares in the bucket, up to
// the threshold. A damaged one is passed over: Enough tells of it when it is missed.
func (e *Escrow) Collect(ctx context.Context, j Journal) (*Hand, error) {
	places, err := e.places(ctx, j)
	if err != nil {
		return nil, err
	}
	if j.PGP() {
		places = withMissing(places, j) // those of a rekey that was cut off are in Vault's backup alone
	}
	h := &Hand{escrow: e, journal: j, places: places, damaged: map[*place]error{}}
	for _, p := range places {
		if len(h.shares) == j.Threshold {
			break
		}
		if p.pgp {
			continue // its holder opens it
		}
		share, err := e.openShare(ctx, p)
		switch {
		case errors.Is(err, secret.ErrNoIdentity):
		case ctx.Err() != nil:
			h.Wipe()
			return nil, context.Cause(ctx)
		case err != nil:
			h.damaged[p] = err
		default:
			h.shares = append(h.shares, held{place: p, share: share})
		}
	}
	return h, nil
}

// Add takes a share that a holder brings: sealed to one of this run's identities,
// or opened, in base64 or hex. It says whose it is, "a holder" when that cannot be
// told, and whether it is new; one that is there already changes nothing. Data
// is wiped.
func (h *Hand) Add(ctx context.Context, data []byte) (whose string, added bool, err error) {
	defer clear(data)
	if bytes.HasPrefix(data, []byte(sealedHead)) {
		text, err := secret.Open(data, h.escrow.Identities)
		switch {
		case errors.Is(err, secret.ErrNoIdentity):
			return "", false, hint.With(errors.New("this key share is sealed to another key"), "name the holder's key file with --identity or --with-identity")
		case err != nil:
			return "", false, fmt.Errorf("this key share is damaged: %w", err)
		}
		defer text.Wipe()
		data = text.Reveal()
	}
	share, err := parseShare(data)
	if err != nil {
		return "", false, err
	}
	at, err := h.find(ctx, share)
	if err != nil {
		share.Wipe()
		return "", false, err
	}
	whose = unknown
	if at != nil {
		whose = at.holder
	}
	if slices.ContainsFunc(h.shares, func(o held) bool { return o.share.Equal(share) }) {
		share.Wipe()
		return whose, false, nil
	}
	h.shares = append(h.shares, held{place: at, share: share})
	return whose, true, nil
}

// find tells by the receipts which share this is; nil when it may be one without.
func (h *Hand) find(ctx context.Context, share secret.Value) (*place, error) {
	without := false
	for _, p := range h.places {
		r, ok, err := h.escrow.receiptOf(ctx, p)
		switch {
		case err != nil:
			return nil, err
		case !ok:
			without = true
		case r.holds(p.prove(share)):
			return p, nil
		}
	}
	if without {
		return nil, nil //nolint:nilnil // it may be one of those without a receipt
	}
	return nil, hint.With(fmt.Errorf("this is none of the key shares of the init %s", h.journal.Nonce),
		"it may be of an earlier init or of another environment, or was mistyped: `clusterup vault keys ENV` lists the files")
}

// Shares are the opened shares, in no order that matters. They stay the hand's.
func (h *Hand) Shares() []secret.Value {
	shares := make([]secret.Value, 0, len(h.shares))
	for _, s := range h.shares {
		shares = append(shares, s.share)
	}
	return shares
}

// Journal is that of the init whose shares these are.
func (h *Hand) Journal() Journal { return h.journal }

// Missing is how many shares the threshold still asks for.
func (h *Hand) Missing() int { return max(h.journal.Threshold-len(h.shares), 0) }

// Enough is nil when there are as many shares as the threshold asks for. Otherwise
// it is a *NeedHolders with those who can bring more, or says that there are not
// enough left.
func (h *Hand) Enough() error {
	missing := h.Missing()
	if missing == 0 {
		return nil
	}
	var names []string
	var lost error
	said := map[string]int{}
	for _, p := range h.places {
		switch damage := h.damaged[p]; {
		case damage != nil:
			lost = damage
		case !p.receipt && said[p.holder] < h.claimed(p.holder):
			said[p.holder]++
		case !slices.ContainsFunc(h.shares, func(s held) bool { return s.place == p }):
			names = append(names, p.holder)
		}
	}
	if len(names) < missing {
		err := fmt.Errorf("the bucket holds %d key shares of the init %s, and %d are needed", len(h.places)-len(h.damaged), h.journal.Nonce, h.journal.Threshold)
		if lost != nil {
			err = fmt.Errorf("%w: %w", err, lost)
		}
		return hint.With(err, "a holder may have a copy that was delivered to them: `clusterup vault unseal ENV --share-file FILE`")
	}
	slices.Sort(names)
	return &NeedHolders{What: fmt.Sprintf("%d more of the %d key shares needed", missing, h.journal.Threshold), Names: slices.Compact(names)}
}

// Wipe overwrites the shares.
func (h *Hand) Wipe() {
	for _, s := range h.shares {
		s.share.Wipe()
	}
}

// What a share may be long, in bytes: Vault's have 32, or 33 when there are several.
const (
	shortestShare = 16
	longestShare  = 64
)

// parseShare reads an opened share in base64, or in hex as Vault also prints it,
// which is tried first: all of hex is base64, and hardly any base64 is hex.
func parseShare(text []byte) (secret.Value, error) {
	text = bytes.TrimSpace(text)
	raw := make([]byte, max(hex.DecodedLen(len(text)), base64.StdEncoding.DecodedLen(len(text))))
	n, err := hex.Decode(raw, text)
	if err != nil {
		n, err = base64.StdEncoding.Decode(raw, text)
	}
	if err != nil || n < shortestShare || n > longestShare {
		clear(raw)
		return secret.Value{}, hint.With(errors.New("this is no key share"),
			"a share is about 44 characters of base64 or 66 of hex, or a file sealed with age; what is sealed to a PGP key is opened by its holder: gpg -d FILE") // err could quote it
	}
	return secret.NewValue(raw[:n]), nil
}
