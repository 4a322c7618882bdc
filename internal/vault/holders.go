// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"

	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
)

// Keys is who holds which key share. It holds nothing of the shares.
type Keys struct {
	Init      string          `json:"init"`
	Threshold int             `json:"threshold"`
	Recovery  bool            `json:"recovery,omitempty"` // they are recovery keys: Vault opens itself
	Shares    []custody.Share `json:"shares"`
	// OtherKeys are holders whose shares are sealed to another key than the one
	// that the environment names now.
	OtherKeys []string `json:"otherKeys,omitempty"`
	// PGP says that Vault sealed them, to PGP keys.
	PGP bool `json:"pgp,omitempty"`
	// Provisional says that these are thrown away once the holders with PGP keys have theirs.
	Provisional bool `json:"provisional,omitempty"`
}

// Confirmed names the holders who have proven that they can open all of their
// shares, and counts all holders. Both are in the order of Shares.
func (k Keys) Confirmed() (names []string, holders int) {
	last, all := "", true
	count := func() {
		if last != "" {
			holders++
			if all {
				names = append(names, last)
			}
		}
	}
	for _, s := range k.Shares {
		if s.Holder != last {
			count()
			last, all = s.Holder, true
		}
		all = all && !s.Confirmed.IsZero()
	}
	count()
	return names, holders
}

// errNoShares says that there is nothing to hold yet.
var errNoShares = errors.New("no key shares of Vault are dealt yet")

// dealt is the journal of the newest init, whose shares are stored.
func (v *Vault) dealt(ctx context.Context) (*custody.Escrow, custody.Journal, error) {
	escrow, j, err := v.records(ctx)
	if err != nil {
		return nil, j, err
	}
	if !j.Dealt() {
		return nil, j, hint.With(errNoShares, "`clusterup create ENV` initialises Vault, or goes on where a run ended")
	}
	return escrow, j, nil
}

// Keys lists the key shares that open Vault, as far as is known, and what is
// recorded of each.
func (v *Vault) Keys(ctx context.Context) (Keys, error) {
	escrow, j, err := v.dealt(ctx)
	if err != nil {
		return Keys{}, err
	}
	set := j.Shareholding()
	keys := Keys{
		Init: set.Nonce, Threshold: set.Threshold, Recovery: v.cfg.Settings.Auto(), OtherKeys: set.OtherKeys(v.cfg.Holders),
		PGP: set.PGP(), Provisional: j.Provisional(),
	}
	keys.Shares, err = escrow.Register(ctx, set)
	return keys, err
}

// VerifyShares opens the shares of whoever runs and records that they could: see
// custody.Escrow.Verify. It asks nothing of Vault.
func (v *Vault) VerifyShares(ctx context.Context) ([]custody.Verified, error) {
	escrow, j, err := v.dealt(ctx)
	if err != nil {
		return nil, err
	}
	if j.Provisional() {
		return nil, hint.With(errors.New("the holders have no key shares yet: a run ended before Vault sealed them"), "`clusterup create ENV` goes on")
	}
	return escrow.Verify(ctx, j.Shareholding())
}

// Hand begins to collect key shares with those that this run's identities open.
// The caller wipes it.
func (v *Vault) Hand(ctx context.Context) (*custody.Hand, error) {
	escrow, j, err := v.dealt(ctx)
	if err != nil {
		return nil, err
	}
	return escrow.Collect(ctx, j.Shareholding())
}

// UndecidedHand is Hand for the new shares of a rekey that was cut off.
func (v *Vault) UndecidedHand(ctx context.Context) (*custody.Hand, error) {
	escrow, j, err := v.dealt(ctx)
	if err != nil {
		return nil, err
	}
	set, ok := j.Undecided()
	if !ok {
		return nil, errors.New("no rekey of Vault was cut off, so there are no other shares to try")
	}
	return escrow.Collect(ctx, set)
}

// EarlierHand is Hand for the shares that Vault took so many deals ago, for a storage
// that was brought back from a backup.
func (v *Vault) EarlierHand(ctx context.Context, ago int) (*custody.Hand, error) {
	escrow, j, err := v.dealt(ctx)
	if err != nil {
		return nil, err
	}
	sets := j.Others()
	if ago < 1 || ago > len(sets) {
		return nil, fmt.Errorf("there are %d other deals of Vault's key shares, and no %dth", len(sets), ago)
	}
	return escrow.Collect(ctx, sets[ago-1])
}
