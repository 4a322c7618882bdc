// SPDX-License-Identifier: Apache-2.0

package custody

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"clusterup.dev/clusterup/internal/store"
)

// There is no receipt of a share that Vault sealed: nobody but its holder has seen it. It is
// confirmed when it takes part in something that needs a threshold and that Vault carries
// out, which it does with right shares only. Whose it was is what whoever ran
// said, or follows when only one holder is left; only after that is there a receipt, by
// which it is known again, and by which it cannot be taken for another's.

// Partook records for holders with PGP keys that their shares were among those
// with which Vault carried out an act: "unseal", "generate-root", "rekey". It names them.
func (h *Hand) Partook(ctx context.Context, act string) (names []string, err error) {
	if !h.journal.PGP() {
		return nil, nil
	}
	used := slices.Clone(h.shares[:min(len(h.shares), h.journal.Threshold)])
	slices.SortStableFunc(used, func(a, b held) int { return certainty(b) - certainty(a) })
	for _, s := range used {
		p := s.place
		if p == nil {
			p = h.free(s.claim)
		}
		if p == nil || p.confirmed {
			continue
		}
		if err := h.confirm(ctx, p, s, act); err != nil {
			return names, err
		}
		names = append(names, p.holder)
	}
	return names, nil
}

// certainty sorts those first of which most is known.
func certainty(s held) int {
	switch {
	case s.place != nil:
		return 2
	case s.claim != "":
		return 1
	}
	return 0
}

// free is a place that a share can be of which is said to be the holder's. When
// nothing is said, it is the one holder's who is left, if it is one.
func (h *Hand) free(holder string) *place {
	var found *place
	for _, p := range h.places {
		switch {
		case p.receipt || holder != "" && p.holder != holder:
		case found == nil:
			found = p
		case found.holder != p.holder:
			return nil
		}
	}
	return found
}

func (h *Hand) confirm(ctx context.Context, p *place, s held, act string) error {
	proof := p.prove(s.share)
	if !p.receipt {
		if err := h.escrow.putJSON(ctx, p.key(receiptSuffix), receiptFor(proof)); err != nil {
			return err
		}
		p.receipt = true
	}
	c := confirmation{Proof: hex.EncodeToString(proof), At: time.Now().UTC().Truncate(time.Second), Act: act, By: h.escrow.Runner.Name}
	err := h.escrow.putJSON(ctx, p.key(confirmedSuffix), c)
	if err == nil || errors.Is(err, store.ErrExists) { // the same share was used elsewhere at the same time
		p.confirmed = true
		return nil
	}
	return err
}
