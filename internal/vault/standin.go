// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
)

// standIn is the stand-in that is there, or a new one where nothing is. It has as many
// shares as the snapshot's set, so that replicas which ask vault-0 how many they need are
// told the same before and after.
func (v *Vault) standIn(ctx context.Context, escrow *custody.Escrow, j custody.Journal, h *custody.Hand) (set custody.Journal, answer *custody.Answer, err error) {
	first, initialised, err := v.first(ctx)
	if err != nil {
		return set, nil, err
	}
	if !initialised {
		return v.initStandIn(ctx, first.peer, escrow, j, h.Journal())
	}
	set = j.StandIn()
	switch {
	case !set.Exists():
		err = holdsError()
	case !set.Answer:
		err = v.unanswered(ctx, escrow, set, h)
	default:
		answer, err = escrow.Answered(ctx, set)
	}
	return set, answer, err
}

// unanswered tells an init that nobody can open from the volumes of before, which were
// brought back after the intent: only those take the key shares.
func (v *Vault) unanswered(ctx context.Context, escrow *custody.Escrow, set custody.Journal, h *custody.Hand) error {
	err := converge.Until(ctx, "Vault to say whether it takes the key shares", v.cfg.Timeout, func(ctx context.Context) (bool, string, error) {
		_, _, pending, err := v.openEither(ctx, nil, h)
		return err == nil && pending == "", pending, err
	})
	switch {
	case wrongShares(err):
		return hint.With(fmt.Errorf("a restore was cut off before it had stored what the stand-in %s answered, so nobody can open that: %w", set.Nonce, err),
			"if no volume was brought back since, it holds nothing: delete the volume of %s and the pod (docs/vault.md, \"Snapshots on raft\"), then restore again", podName(0))
	case err != nil:
		return err
	}
	return errors.Join(escrow.Served(ctx, set), holdsError())
}

// initStandIn keeps what init answers before anything else, as initialise does.
func (v *Vault) initStandIn(ctx context.Context, c *client, escrow *custody.Escrow, j, of custody.Journal) (set custody.Journal, answer *custody.Answer, err error) {
	shares := 0
	for _, n := range of.Shares {
		shares += n
	}
	set, holders, err := escrow.IntendStandIn(ctx, j, shares, of.Threshold)
	if err != nil {
		return set, nil, err
	}
	if err := v.allowed(ctx, "the stand-in's init"); err != nil {
		return set, nil, err
	}
	heedless := context.WithoutCancel(ctx)
	defer converge.Uninterruptible(ctx)()
	if answer, err = c.sendInit(heedless, shares, of.Threshold); err != nil {
		return set, nil, fmt.Errorf("initialising a stand-in: %w", err)
	}
	sealed, err := escrow.SealAnswer(set, holders, answer)
	if err == nil {
		err = keep(heedless, escrow, sealed, "what the stand-in answered: do not stop this run")
	}
	if err != nil {
		answer.Wipe()
		return set, nil, err
	}
	set.Answer = true
	return set, answer, nil
}

// replaceStandIn opens vault-0 and sends it the snapshot, whose key shares count from then
// on, unless an earlier run did. Where vault-0 is no stand-in, nothing is sent.
func (v *Vault) replaceStandIn(ctx context.Context, escrow *custody.Escrow, set custody.Journal, stand *custody.Answer, h *custody.Hand, archive []byte) (_ custody.Journal, err error) {
	var at replica
	var alive bool
	err = converge.Until(ctx, "vault-0 to be open", v.cfg.Timeout, func(ctx context.Context) (_ bool, pending string, err error) {
		at, alive, pending, err = v.openEither(ctx, stand, h)
		return err == nil && pending == "", pending, err
	})
	switch {
	case err != nil:
		return set, err
	case !alive && set.State == custody.Asked:
		return set, nil
	case !alive:
		return set, errors.Join(escrow.Served(ctx, set), holdsError())
	}
	if err := v.settle(ctx, h.Journal()); err != nil {
		return set, err
	}
	if set.State != custody.Asked {
		if set, err = escrow.Record(ctx, set, custody.Asked); err != nil {
			return set, err
		}
	}
	if err := v.allowed(ctx, "the restore"); err != nil {
		return set, err
	}
	err = at.peer.do(ctx, request{method: http.MethodPost, path: restorePath, token: stand.Root, body: archive, timeout: transferTimeout}, nil)
	var answer *apiError
	if errors.As(err, &answer) {
		return set, fmt.Errorf("restore the snapshot: %w", err)
	}
	return set, nil // whether one that was not answered was taken is seen in what follows
}
