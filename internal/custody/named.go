// SPDX-License-Identifier: Apache-2.0

package custody

import (
	"context"
	"fmt"
	"slices"

	"clusterup.dev/clusterup/internal/hint"
)

// Named is Add for a share of which it is said whose it is. What is known of
// it says otherwise: an error.
func (h *Hand) Named(ctx context.Context, holder string, data []byte) (whose string, added bool, err error) {
	if h.journal.Shares[holder] == 0 {
		clear(data)
		return "", false, hint.With(fmt.Errorf("%s holds no key share", holder), "`clusterup vault keys ENV` lists the holders")
	}
	before := len(h.shares)
	whose, added, err = h.Add(ctx, data)
	if err != nil {
		return whose, added, err
	}
	if whose != holder && whose != unknown {
		h.shares = h.drop(before)
		return "", false, fmt.Errorf("this is a key share of %s, and not of %s", whose, holder)
	}
	if whose == unknown && added {
		if h.unseen(holder) <= h.claimed(holder) {
			h.shares = h.drop(before)
			return "", false, fmt.Errorf("this is none of the key shares of %s, which are all known", holder)
		}
		h.shares[before].claim = holder
	}
	return holder, added, nil
}

// unknown is whose a share is of which that cannot be told.
const unknown = "a holder"

// drop is the shares without those from n on.
func (h *Hand) drop(n int) []held {
	for _, s := range h.shares[n:] {
		s.share.Wipe()
	}
	return h.shares[:n]
}

// unseen counts the shares of a holder of which there is no receipt.
func (h *Hand) unseen(holder string) (n int) {
	for _, p := range h.places {
		if p.holder == holder && !p.receipt {
			n++
		}
	}
	return n
}

func (h *Hand) claimed(holder string) (n int) {
	for _, s := range h.shares {
		if s.place == nil && s.claim == holder {
			n++
		}
	}
	return n
}

// Whose names the holders that an added share of unknown owner can be of, sorted. With one
// of them, or none, there is nothing to ask.
func (h *Hand) Whose() []string {
	var names []string
	for _, p := range h.places {
		if p.pgp && h.unseen(p.holder) > h.claimed(p.holder) && !slices.Contains(names, p.holder) {
			names = append(names, p.holder)
		}
	}
	return names
}

// Unnamed reports whether it is not known whose the share is that was added last.
func (h *Hand) Unnamed() bool {
	n := len(h.shares)
	return n > 0 && h.shares[n-1].place == nil && h.shares[n-1].claim == ""
}

// Name says whose the share is that was added last.
func (h *Hand) Name(holder string) error {
	if !h.Unnamed() || !slices.Contains(h.Whose(), holder) {
		return fmt.Errorf("%s is none of them", holder)
	}
	h.shares[len(h.shares)-1].claim = holder
	return nil
}
