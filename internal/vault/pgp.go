// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
)

// settlePatience bounds how long a rekey without an answer is asked after.
const settlePatience = time.Minute

// rekeyPGP has Vault make new shares and seal each to its holder's PGP key. There is no
// verification, which would take opened new shares: the last of the old ones that h
// holds makes the new ones count at once. So that its answer cannot be lost, Vault keeps
// a copy of what it sealed, under the name that the journal has before that.
func (v *Vault) rekeyPGP(ctx context.Context, escrow *custody.Escrow, journal custody.Journal, h *custody.Hand, cancelOther bool) error {
	if err := h.Enough(); err != nil {
		return err
	}
	at, err := v.activeReplica(ctx)
	if err != nil {
		return err
	}
	if _, err := v.backup(ctx, at.peer); err != nil { // before anything depends on it
		return fmt.Errorf("before the rekey: %w", err)
	}
	set, err := escrow.IntendRekey(ctx, journal, v.cfg.Holders, v.cfg.Settings.Threshold)
	if err != nil {
		return err
	}
	if err := v.allowed(ctx, "the rekey"); err != nil {
		return err
	}
	defer converge.Uninterruptible(ctx)()
	heedless := context.WithoutCancel(ctx)
	nonce, err := v.beginPGP(heedless, at.peer, cancelOther)
	if err != nil {
		return err
	}
	if set, err = escrow.Asking(heedless, set, nonce); err != nil {
		return errors.Join(fmt.Errorf("vault keeps the old key shares: %w", err), at.peer.cancelRekey(heedless, nonce))
	}
	sealed, err := at.peer.completePGP(heedless, nonce, h)
	if err == nil {
		err = v.settlePGP(heedless, escrow, set, sealed)
	}
	if err == nil {
		return nil
	}
	converge.Progress(ctx, "the rekey was not answered: finding out which key shares Vault takes")
	live, undecided := v.decidePGP(heedless, escrow, set, h, false)
	switch {
	case undecided != nil:
		return hint.With(fmt.Errorf("whether the rekey took effect is not known (%w): %w", err, undecided),
			"run it again: it finds out; the old key shares are kept, and Vault has a copy of the new ones, sealed")
	case !live:
		return fmt.Errorf("vault keeps the old key shares: %w", err)
	}
	return nil
}

// settlePGP keeps what Vault sealed, in one write, and stores it for the holders. The
// caller knows that Vault takes these shares.
func (v *Vault) settlePGP(ctx context.Context, escrow *custody.Escrow, set custody.Journal, sealed map[string][][]byte) error {
	kept, err := escrow.SealedByVault(set, sealed)
	if err != nil {
		return err
	}
	if err := escrow.Keep(ctx, kept); err != nil {
		return err
	}
	_, err = escrow.Settle(ctx, set)
	return err
}

// tidyPGP deletes what is not needed any more once the holders' shares are live
// and stored: Vault's copy of them, the throwaway share, and last the object that says
// that this is left to do.
func (v *Vault) tidyPGP(ctx context.Context, escrow *custody.Escrow) error {
	journal, err := escrow.Read(ctx)
	if err != nil {
		return err
	}
	set, ok := journal.Leftover()
	if !ok && !set.PGP() {
		return escrow.Discard(ctx, journal) // the holders have other keys by now
	}
	if !ok {
		return nil
	}
	at, err := v.activeReplica(ctx)
	if err != nil {
		return err
	}
	if err := v.dropBackup(ctx, at.peer, set.Attempt); err != nil {
		return err
	}
	if err := escrow.Discard(ctx, journal); err != nil {
		return err
	}
	return escrow.Forget(ctx, set)
}
