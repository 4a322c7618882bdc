// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
)

// ErrTorn says that Vault died in the middle of a rekey, as far as can be told.
var ErrTorn = errors.New("vault takes the old key shares no more, and does not say that it has new ones")

// decidePGP finds out which shares open Vault after a rekey to PGP keys whose answer is not
// there, and records it; the new ones cannot be tried. First it ends the attempt: Vault
// does that after what is under way, so that nothing changes any more. Then it keeps what
// Vault sealed, whatever it is worth. Then Vault is asked how many shares open it, and
// has to check the old ones, which h holds, in a rekey that is ended before it changes
// anything: where generating a root token would tell the same, a run that is killed
// there would leave a root token. Nothing is recorded that those do not prove.
func (v *Vault) decidePGP(ctx context.Context, escrow *custody.Escrow, set custody.Journal, h *custody.Hand, cancelOther bool) (live bool, err error) {
	var evidence evidence
	err = converge.Until(ctx, "Vault to say which key shares it takes", min(settlePatience, v.cfg.Timeout), func(ctx context.Context) (bool, string, error) {
		at, err := v.activeReplica(ctx)
		if err != nil {
			return false, "", err
		}
		evidence, err = v.gather(ctx, at.peer, escrow, set, h, cancelOther)
		return err == nil, "", err
	})
	if err != nil {
		return false, err
	}
	verdict, err := evidence.verdict(h.Journal(), set)
	if err != nil {
		return false, err
	}
	if verdict == custody.Live {
		_, err := escrow.Settle(ctx, set)
		return true, err
	}
	if _, err := escrow.Record(ctx, set, custody.Dropped); err != nil {
		return false, err
	}
	return false, escrow.Forget(ctx, set)
}

// evidence is what Vault says after a rekey.
type evidence struct {
	sealed            bool // it has a copy of what it sealed in this rekey, which is kept now
	shares, threshold int  // it has, and opens with
	oldTaken          bool
	oldRefused        bool // because they do not open it, and for no other reason
}

func (v *Vault) gather(ctx context.Context, c *client, escrow *custody.Escrow, set custody.Journal, h *custody.Hand, cancelOther bool) (e evidence, err error) {
	if err := c.endAttempt(ctx, set.Attempt); err != nil {
		return e, err
	}
	b, err := v.backup(ctx, c)
	if err != nil {
		return e, err
	}
	if e.sealed = b.Nonce == set.Attempt; e.sealed {
		kept, err := escrow.SealedByVault(set, b.Keys)
		if err != nil {
			return e, converge.Permanent(err)
		}
		if err := escrow.Keep(ctx, kept); err != nil {
			return e, err
		}
	}
	if err := h.Enough(); err != nil {
		return e, converge.Permanent(hint.With(fmt.Errorf("a rekey was cut off, and only the key shares of before it tell whether it took effect: %w", err),
			"`clusterup vault rekey ENV` with them finds out"))
	}
	status, err := c.sealStatus(ctx)
	if err != nil {
		return e, err
	}
	e.shares, e.threshold = status.Shares, status.Threshold
	a, err := c.newShares(ctx, h, 1, 1, cancelOther)
	switch {
	case err == nil:
		answer := a.answer()
		answer.Wipe()
		e.oldTaken = true
		return e, c.cancelRekey(ctx, a.Nonce)
	case errors.Is(err, ErrOtherRekey):
		return e, converge.Permanent(err)
	case undecryptable(err):
		e.oldRefused = true
		return e, nil
	case answeredError(err): // what was not taken because there were too few, or were not even of the right length
		return e, nil
	}
	return e, err
}

// verdict says which shares open Vault, or what keeps it from being known.
func (e evidence) verdict(old, set custody.Journal) (custody.State, error) {
	oldShape := e.shares == total(old.Shares) && e.threshold == old.Threshold
	newShape := e.shares == total(set.Shares) && e.threshold == set.Threshold
	switch {
	case e.oldTaken && oldShape:
		return custody.Dropped, nil
	case !e.oldTaken && newShape && e.sealed && (e.oldRefused || !oldShape):
		return custody.Live, nil
	}
	return "", hint.With(fmt.Errorf("%w: it opens with %d of %d, takes the old ones: %t, has a copy of the new ones: %t", ErrTorn, e.threshold, e.shares, e.oldTaken, e.sealed),
		"do not restart Vault: it is unsealed; nothing was deleted, and docs/vault.md says under \"A deal that was cut off\" what can be done")
}

func total(shares map[string]int) (n int) {
	for _, s := range shares {
		n += s
	}
	return n
}

// endAttempt ends the rekey of that name, if it is under way. Vault answers after the
// last share that it was given has been dealt with.
func (c *client) endAttempt(ctx context.Context, nonce string) error {
	var a rekeyAttempt
	if err := c.do(ctx, request{method: http.MethodGet, path: c.rekeyCall("init"), timeout: unsealDeadline}, &a); err != nil {
		return fmt.Errorf("asking whether Vault is being rekeyed: %w", err)
	}
	if !a.Started || a.Nonce != nonce {
		return nil
	}
	return c.cancelRekey(ctx, nonce)
}

// undecryptable recognises Vault's word that the key which the shares make does not decrypt
// what it has to, or is not the recovery key, and takes no other failure for it.
func undecryptable(err error) bool {
	return errors.Is(err, errNotTaken) &&
		(strings.Contains(err.Error(), "message authentication failed") || strings.Contains(err.Error(), "recovery key does not match"))
}

// answeredError reports whether Vault answered at all.
func answeredError(err error) bool {
	var e *apiError
	return errors.Is(err, errNotTaken) || errors.As(err, &e) && strings.HasSuffix(e.Path, "/update")
}
