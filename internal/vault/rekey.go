// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
)

// Rekey makes new shares for the holders and the threshold that the settings name,
// out of a threshold of those that open Vault now, which h holds. Vault goes on
// taking the old shares until it was given a threshold of the new ones, and that
// happens only after every new share is stored for its holder and was read back.
// The old ones stay in the bucket. A rekey that was cut off is decided first: done
// reports that it had taken effect, and then nothing else is done.
func (v *Vault) Rekey(ctx context.Context, h *custody.Hand, cancelOther bool) (done bool, err error) {
	if err := h.Enough(); err != nil {
		return false, err
	}
	at, err := v.activeReplica(ctx)
	if err != nil {
		return false, err
	}
	escrow, journal, err := v.records(ctx)
	if err != nil {
		return false, err
	}
	if set, ok := journal.Undecided(); ok && set.PGP() {
		if done, err := v.decidePGP(ctx, escrow, set, h, cancelOther); done || err != nil {
			return done, errors.Join(err, v.tidyPGP(ctx, escrow))
		}
	} else if ok {
		if done, err := v.decideRekey(ctx, at.peer, escrow, set, h, cancelOther); done || err != nil {
			return done, err
		}
	}
	if err := v.tidyPGP(ctx, escrow); err != nil {
		return false, err
	}
	if v.SealsToPGP() {
		err = v.rekeyPGP(ctx, escrow, journal, h, cancelOther)
	} else {
		err = v.rekey(ctx, at.peer, escrow, journal, h, cancelOther)
	}
	if err != nil {
		return false, err
	}
	if err := v.tidyPGP(ctx, escrow); err != nil {
		return false, err
	}
	return false, v.partook(ctx, h, "rekey")
}

func (v *Vault) rekey(ctx context.Context, c *client, escrow *custody.Escrow, journal custody.Journal, h *custody.Hand, cancelOther bool) error {
	set, err := escrow.IntendRekey(ctx, journal, v.cfg.Holders, v.cfg.Settings.Threshold)
	if err != nil {
		return err
	}
	if err := v.allowed(ctx, "the rekey"); err != nil {
		return err
	}
	defer converge.Uninterruptible(ctx)()
	heedless := context.WithoutCancel(ctx)
	a, err := c.newShares(heedless, h, v.shares(), v.cfg.Settings.Threshold, cancelOther)
	if err != nil {
		return err
	}
	answer := a.answer()
	defer answer.Wipe()
	if set, err = v.keepShares(heedless, escrow, set, answer); err != nil {
		return errors.Join(fmt.Errorf("the new key shares are not stored, so Vault keeps the old ones: %w", err), c.cancelRekey(heedless, a.Nonce))
	}
	for _, share := range answer.Shares[:set.Threshold] {
		if err := c.giveKey(heedless, c.rekeyCall("verify"), a.VerificationNonce, share, nil); err != nil {
			return hint.With(fmt.Errorf("whether the rekey took effect is not known: %w", err),
				"run it again: it finds out; the old shares and the new ones are in the bucket")
		}
	}
	if _, err := escrow.Record(heedless, set, custody.Live); err != nil {
		return err
	}
	return escrow.Forget(heedless, set)
}

// keepShares stores every new share for its holder and reads it back.
func (v *Vault) keepShares(ctx context.Context, escrow *custody.Escrow, set custody.Journal, answer *custody.Answer) (custody.Journal, error) {
	sealed, err := escrow.SealAnswer(set, v.cfg.Holders, answer)
	if err != nil {
		return set, err
	}
	if err := escrow.Keep(ctx, sealed); err != nil {
		return set, err
	}
	return escrow.Deal(ctx, set)
}

// decideRekey finds out which shares open Vault after a rekey that was cut off, by
// having Vault check them, and records it. It needs proof: that one set is
// refused does not say that the other is taken.
func (v *Vault) decideRekey(ctx context.Context, c *client, escrow *custody.Escrow, set custody.Journal, old *custody.Hand, cancelOther bool) (live bool, err error) {
	converge.Progress(ctx, "a rekey was cut off: finding out which key shares Vault takes")
	verdict := custody.Dropped
	taken, err := c.takes(ctx, old, cancelOther)
	if err != nil {
		return false, err
	}
	if !taken {
		h, err := escrow.Collect(ctx, set)
		if err != nil {
			return false, err
		}
		defer h.Wipe()
		if err := h.Enough(); err != nil {
			return false, fmt.Errorf("a rekey was cut off, and Vault does not take the old key shares; of the new ones, %w", err)
		}
		if taken, err = c.takes(ctx, h, false); err != nil || !taken {
			return false, errors.Join(errors.New("vault takes neither the old key shares nor those of the rekey that was cut off"), err)
		}
		verdict = custody.Live
	}
	if _, err := escrow.Record(ctx, set, verdict); err != nil {
		return false, err
	}
	return verdict == custody.Live, escrow.Forget(ctx, set)
}
