// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"cmp"
	"context"
	"fmt"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
)

// HandFor is Hand for the key shares that open a snapshot.
func (v *Vault) HandFor(ctx context.Context, of Proof) (*custody.Hand, error) {
	escrow, j, err := v.dealt(ctx)
	if err != nil {
		return nil, err
	}
	set, ok := setOf(j, of)
	if !ok {
		return nil, otherInit(of)
	}
	return escrow.Collect(ctx, set)
}

// Revive puts a snapshot into a Vault that is Lost. Vault takes one only from a root token,
// so a stand-in is initialised through vault-0, whose shares and root token are the
// runner's until the snapshot makes them worth nothing. Then a threshold of the snapshot's
// own shares, in h, opens it. Cut off anywhere, the next Revive goes on.
func (v *Vault) Revive(ctx context.Context, h *custody.Hand, archive []byte, of Proof) (proven Proven, err error) {
	if err := h.Enough(); err != nil {
		return proven, err
	}
	if h.Journal().Nonce != of.Shares {
		return proven, otherInit(of)
	}
	escrow, j, err := v.dealt(ctx)
	if err != nil {
		return proven, err
	}
	set, stand, err := v.standIn(ctx, escrow, j, h)
	if err != nil {
		return proven, err
	}
	defer stand.Wipe()
	set, err = v.replaceStandIn(ctx, escrow, set, stand, h, archive)
	if err != nil {
		return proven, orHint(err, "run the restore again: it goes on from there")
	}
	err = converge.Until(ctx, "Vault to hold the snapshot in the place of its stand-in", v.cfg.Timeout, func(ctx context.Context) (bool, string, error) {
		at, alive, pending, err := v.openEither(ctx, stand, h)
		if err != nil || pending != "" || alive {
			return false, cmp.Or(pending, "it takes the stand-in's root token"), err
		}
		var held bool
		proven, held, err = v.holds(ctx, at, of)
		return held, notMarked, err
	})
	if err != nil {
		return proven, orHint(err, "the log of %s says what Vault did; run the restore again, of the same snapshot: it goes on from there", podName(0))
	}
	if err := escrow.Served(ctx, set); err != nil {
		return proven, err
	}
	converge.Progress(ctx, "the snapshot is there; the other replicas join")
	_ = converge.Until(ctx, "the other replicas to find vault-0", lostPatience, func(ctx context.Context) (bool, string, error) {
		replicas, err := v.look(ctx)
		return err == nil && len(inState(replicas, Uninitialised)) == 0, "", err
	}) // one that does not is the next run's
	if err := v.Unseal(ctx, h); err != nil {
		return proven, orHint(fmt.Errorf("after the restore, which is proven: %w", err), "`clusterup vault unseal ENV` with the same key shares goes on")
	}
	return proven, nil
}

// orHint adds a hint where none says more.
func orHint(err error, format string, args ...any) error {
	if hint.Of(err) != "" {
		return err
	}
	return hint.With(err, format, args...)
}

// openEither opens vault-0 with the shares that it takes, the stand-in's or the snapshot's:
// Vault seals itself between the two. What is pending is "" once it is active; alive says
// whether it takes the stand-in's root token, which is to be replaced then.
func (v *Vault) openEither(ctx context.Context, stand *custody.Answer, h *custody.Hand) (at replica, alive bool, pending string, err error) {
	replicas, err := v.look(ctx)
	if err != nil {
		return at, false, "", err
	}
	if at, ok := active(replicas); ok {
		if stand != nil {
			alive, err = session{at.peer, stand.Root}.alive(ctx)
		}
		return at, alive, "", err
	}
	at = replicas[0]
	if at.state != Sealed {
		return at, false, at.pod.Name + ": " + reason(at), nil
	}
	if stand != nil {
		_, err = at.peer.unseal(ctx, stand.Shares)
	}
	if stand == nil || wrongShares(err) {
		_, err = at.peer.unseal(ctx, h.Shares())
	}
	if wrongShares(err) {
		err = converge.Permanent(hint.With(fmt.Errorf("neither a stand-in's key shares nor the snapshot's open %s: %w", at.pod.Name, err),
			"name the snapshot that the cut-off restore was of; if its storage is another one, docs/vault.md says under \"Snapshots on raft\" how it is emptied"))
	}
	return at, false, "it was sealed", err
}

func otherInit(of Proof) error {
	return hint.With(fmt.Errorf("the snapshot opens with the key shares of %s, and this Vault never took those", of.Shares),
		"it is of a Vault that was initialised another time; docs/vault.md says under \"Snapshots on raft\" how such a one is brought back by hand")
}
