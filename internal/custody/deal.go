// SPDX-License-Identifier: Apache-2.0

package custody

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/store"
)

// NeedHolders says that something is sealed to others: the run cannot go on
// until enough of them come. The command ends with exit code 3.
type NeedHolders struct {
	What  string   // "2 more key shares"
	Names []string // those who can open it, sorted
}

func (e *NeedHolders) Error() string {
	return fmt.Sprintf("%s can only be opened by %s", e.What, strings.Join(e.Names, ", "))
}

// ExitCode is that of a run which cannot go on before somebody comes.
func (*NeedHolders) ExitCode() int { return 3 }

// Deal stores every share of the answer under its holder's name, and the receipt
// for it beside it, reads each back, and records Stored. Those that an earlier
// try stored stay as they are.
func (e *Escrow) Deal(ctx context.Context, j Journal) (Journal, error) {
	if err := e.hand(ctx, j); err != nil {
		return j, err
	}
	return e.Record(ctx, j, Stored)
}

// hand is Deal without the record.
func (e *Escrow) hand(ctx context.Context, j Journal) error {
	a, err := e.answer(ctx, j)
	if err != nil {
		return err
	}
	group, gctx := errgroup.WithContext(ctx)
	for _, s := range a.Shares {
		p := place{nonce: j.Nonce, holder: s.Holder, n: s.N, pgp: s.PGP}
		group.Go(func() error {
			key := p.file()
			if _, err := e.Bucket.PutNew(gctx, key, s.Sealed); err != nil && !errors.Is(err, store.ErrExists) {
				return fmt.Errorf("storing %s: %w", key, err)
			}
			return e.proven(gctx, key, s.Sealed)
		})
		if s.Receipt != nil {
			group.Go(func() error { return e.putJSON(gctx, p.key(receiptSuffix), s.Receipt) })
		}
	}
	return group.Wait()
}

// Open opens as many shares as the threshold asks for. When this run's
// identities cannot, the error is a *NeedHolders. The caller wipes the shares.
func (e *Escrow) Open(ctx context.Context, j Journal) ([]secret.Value, error) {
	hand, err := e.Collect(ctx, j)
	if err != nil {
		return nil, err
	}
	if err := hand.Enough(); err != nil {
		hand.Wipe()
		return nil, err
	}
	return hand.Shares(), nil
}

// openShare opens one share. The error wraps secret.ErrNoIdentity when it is
// sealed to others.
func (e *Escrow) openShare(ctx context.Context, p *place) (secret.Value, error) {
	key := p.key(sealedSuffix)
	sealed, _, err := e.Bucket.Get(ctx, key)
	if err != nil {
		return secret.Value{}, fmt.Errorf("reading %s: %w", key, err)
	}
	share, err := e.unsealShare(sealed)
	if err != nil {
		return secret.Value{}, fmt.Errorf("opening %s: %w", key, err)
	}
	return share, nil
}

// unsealShare opens the sealed text of a share.
func (e *Escrow) unsealShare(sealed []byte) (secret.Value, error) {
	text, err := secret.Open(sealed, e.Identities)
	if err != nil {
		return secret.Value{}, err
	}
	defer text.Wipe()
	return parseShare(text.Reveal())
}
