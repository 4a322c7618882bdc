// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"net/http"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/secret"
)

// keyring opens key shares when they are first needed. After a rekey that was cut
// off it also has the new ones to try, and what Vault takes decides it. It tries
// those of other days last: Vault's storage may have been brought back to one.
type keyring struct {
	escrow  *custody.Escrow
	journal custody.Journal
	opened  map[string][]secret.Value // by set
}

// unseal gives replicas the shares that open them. What no waiting can mend is
// converge.Permanent.
func (k *keyring) unseal(ctx context.Context, sealed []replica) error {
	other, undecided := k.journal.Undecided()
	opened, err := k.give(ctx, sealed, k.journal.Shareholding())
	switch {
	case undecided && other.PGP(): // for vault/deal to decide: a replica that takes the old ones does not say what another is about to do
		if wrongShares(err) {
			return converge.Permanent(cutOffError(other, err))
		}
		return err
	case !undecided && wrongShares(err):
		return k.broughtBack(ctx, sealed, err)
	case !undecided:
		return err
	}
	return k.decide(ctx, sealed, other, opened, err)
}

// decide records of a rekey that was cut off which of its shares open Vault, if the
// old ones did not open it and err says so, the new ones. Nothing is recorded while
// no replica is open.
func (k *keyring) decide(ctx context.Context, sealed []replica, other custody.Journal, opened bool, err error) error {
	verdict := custody.Dropped
	if err != nil {
		if !wrongShares(err) && !needsHolders(err) {
			return err
		}
		var failed error
		if opened, failed = k.give(ctx, sealed, other); failed != nil {
			if wrongShares(err) {
				return k.broughtBack(ctx, sealed, err)
			}
			return err // what the shares that are known to be right met
		}
		verdict = custody.Live
	}
	if !opened {
		return nil
	}
	if _, err := k.escrow.Record(ctx, other, verdict); err != nil {
		return err
	}
	if err := k.escrow.Forget(ctx, other); err != nil {
		return err
	}
	k.journal, err = k.escrow.Read(ctx)
	return err
}

// wrongShares reports whether Vault took shares for wrong.
func wrongShares(err error) bool {
	return isStatus(err, http.StatusBadRequest) || errors.Is(err, errNotTaken)
}

// broughtBack tries the shares that Vault took on other days, after it refused a
// threshold of today's. The error is the cause when it takes none of them.
func (k *keyring) broughtBack(ctx context.Context, sealed []replica, cause error) error {
	for _, set := range k.journal.Others() {
		opened, err := k.give(ctx, sealed, set)
		if err != nil {
			continue
		}
		if !opened {
			return nil // looked at again
		}
		converge.Progress(ctx, "Vault takes the key shares of %s: its storage was brought back to when those were dealt", set.Nonce)
		if err := k.escrow.BroughtBack(ctx, k.journal, set); err != nil {
			return err
		}
		k.journal, err = k.escrow.Read(ctx)
		return err
	}
	return cause
}

func (k *keyring) give(ctx context.Context, sealed []replica, set custody.Journal) (opened bool, err error) {
	shares, ok := k.opened[set.Nonce]
	if !ok {
		if shares, err = k.escrow.Open(ctx, set); err != nil {
			return false, converge.Permanent(err)
		}
		if k.opened == nil {
			k.opened = map[string][]secret.Value{}
		}
		k.opened[set.Nonce] = shares
	}
	return unsealAll(ctx, sealed, shares, set)
}

func (k *keyring) wipe() {
	for _, shares := range k.opened {
		wipe(shares)
	}
}

func needsHolders(err error) bool {
	var need *custody.NeedHolders
	return errors.As(err, &need)
}
