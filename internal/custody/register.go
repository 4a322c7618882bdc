// SPDX-License-Identifier: Apache-2.0

package custody

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"clusterup.dev/clusterup/internal/secret"
)

// Share is what is known of one key share. It holds nothing of the share itself.
type Share struct {
	Holder string `json:"holder"`
	N      int    `json:"n"`   // from 1, for each holder
	Key    string `json:"key"` // the public key that it is sealed to
	// Fingerprint is how people compare that key: see secret.Fingerprint.
	Fingerprint string     `json:"fingerprint"`
	Object      string     `json:"object"`
	Missing     bool       `json:"missing,omitempty"`  // it is not in the bucket
	Receipt     bool       `json:"receipt"`            // false: dealt by a version that wrote none
	Confirmed   time.Time  `json:"confirmed,omitzero"` // when the holder proved that they opened it, checked here
	Act         string     `json:"act,omitempty"`      // of a holder with a PGP key: what the share took part in then
	Delivered   []Delivery `json:"delivered,omitempty"`
	Problem     string     `json:"problem,omitempty"` // what is wrong with what is recorded of it
}

// Register lists every share of an init, by holder and number, and checks each
// confirmation against its receipt. It opens nothing.
func (e *Escrow) Register(ctx context.Context, j Journal) ([]Share, error) {
	places, err := e.listed(ctx, j)
	if err != nil {
		return nil, err
	}
	places = withMissing(places, j)
	shares := make([]Share, len(places))
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(registerWidth)
	for i, p := range places {
		group.Go(func() (err error) {
			shares[i], err = e.entry(gctx, j, p)
			return err
		})
	}
	return shares, group.Wait()
}

// withMissing adds those places of which there is no object at all.
func withMissing(places []*place, j Journal) []*place {
	for holder, n := range j.Shares {
		for i := 1; i <= n; i++ {
			if !slices.ContainsFunc(places, func(p *place) bool { return p.holder == holder && p.n == i }) {
				places = append(places, &place{nonce: j.Nonce, holder: holder, n: i, pgp: j.PGP()})
			}
		}
	}
	slices.SortFunc(places, byHolder)
	return places
}

// registerWidth bounds how many shares are asked after at the same time.
const registerWidth = 8

func (e *Escrow) entry(ctx context.Context, j Journal, p *place) (Share, error) {
	s := Share{Holder: p.holder, N: p.n, Key: j.Keys[p.holder], Fingerprint: secret.Fingerprint(j.Keys[p.holder]), Object: p.file(), Missing: !p.sealed, Receipt: p.receipt}
	c, err := e.confirmationOf(ctx, p)
	switch {
	case errors.Is(err, errUnproven):
		s.Problem = err.Error()
	case err != nil:
		return s, err
	}
	s.Confirmed, s.Act = c.At, c.Act
	for _, way := range p.delivered {
		d := Delivery{Way: way}
		if err := e.getJSON(ctx, p.deliveredKey(way), &d); err != nil {
			return s, err
		}
		s.Delivered = append(s.Delivered, d)
	}
	return s, nil
}
