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

// Lost reports whether a Vault on raft has lost all its storage while its key shares are
// in the bucket, so that Revive is what brings a snapshot back and not Restore. It is also
// lost while a stand-in that an earlier Revive left is in its place.
func (v *Vault) Lost(ctx context.Context) (bool, error) {
	if err := v.OnRaft(); err != nil {
		return false, err
	}
	escrow, j, err := v.dealt(ctx)
	if err != nil {
		return false, err
	}
	replicas, err := v.look(ctx)
	if err != nil {
		return false, err
	}
	initialised, known, err := answered(replicas)
	if err != nil || !known {
		return false, err
	}
	set, err := escrow.StandIn(ctx, j)
	if err != nil || !set.Exists() || !initialised {
		return !initialised, err
	}
	at, ok := active(replicas)
	if !ok {
		return true, nil
	}
	own, err := v.login(ctx, at.peer)
	if err != nil {
		return true, nil //nolint:nilerr // a stand-in knows nothing of clusterup's role
	}
	return false, errors.Join(own.end(ctx), escrow.Served(ctx, set)) // a run ended before it could say so
}

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
	if v.cfg.Settings.Auto() {
		return proven, hint.With(errors.New("this Vault opens itself, and a lost one of its kind is not brought back by clusterup"), "docs/vault.md says under \"Snapshots on raft\" how it is done by hand")
	}
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
	set, stand, err := v.standIn(ctx, escrow, j, h.Journal())
	if err != nil {
		return proven, err
	}
	defer stand.Wipe()
	if err := v.replaceStandIn(ctx, stand, h, archive); err != nil {
		return proven, hint.With(err, "run the restore again: it goes on from there")
	}
	err = converge.Until(ctx, "Vault to hold the snapshot in the place of its stand-in", v.cfg.Timeout, func(ctx context.Context) (bool, string, error) {
		at, pending, err := v.openEither(ctx, stand, h)
		if err != nil || pending != "" {
			return false, pending, err
		}
		alive, err := session{at.peer, stand.Root}.alive(ctx)
		if err != nil || alive {
			return false, "it takes the stand-in's root token", err
		}
		have, err := v.facts(ctx, at)
		proven = proveBy(of, have)
		return err == nil && have.Mark == of.Mark, fmt.Sprintf("the policy %s is not the one of the snapshot", MarkPolicy), err
	})
	if err != nil {
		return proven, hint.With(err, "the log of %s says what Vault did; run the restore again: it goes on from there", podName(0))
	}
	if err := escrow.Served(ctx, set); err != nil {
		return proven, err
	}
	if err := v.settle(ctx, h.Journal()); err != nil {
		return proven, err
	}
	converge.Progress(ctx, "the snapshot is there; the other replicas join")
	_ = converge.Until(ctx, "the other replicas to find vault-0", lostPatience, func(ctx context.Context) (bool, string, error) {
		replicas, err := v.look(ctx)
		return err == nil && len(inState(replicas, Uninitialised)) == 0, "", err
	}) // one that does not is the next run's
	return proven, v.Unseal(ctx, h)
}

// standIn is the stand-in that is there, or a new one where nothing is. It has as many
// shares as the snapshot's set, so that replicas which ask vault-0 how many they need are
// told the same before and after.
func (v *Vault) standIn(ctx context.Context, escrow *custody.Escrow, j, of custody.Journal) (set custody.Journal, answer *custody.Answer, err error) {
	first, initialised, err := v.first(ctx)
	if err != nil {
		return set, nil, err
	}
	if !initialised {
		return v.initStandIn(ctx, first.peer, escrow, j, of)
	}
	set, err = escrow.StandIn(ctx, j)
	switch {
	case err != nil:
	case !set.Exists():
		err = hint.With(errors.New("vault holds data that no snapshot is to replace unasked"), "run the restore again: it looks at what is there first")
	case !set.Answer:
		err = hint.With(fmt.Errorf("a restore was cut off before it had stored what the stand-in %s answered, so nobody can open that; it holds nothing", set.Nonce),
			"delete the volume of %s and the pod (docs/vault.md, \"Snapshots on raft\"), then restore again", podName(0))
	default:
		answer, err = escrow.Answered(ctx, set)
	}
	return set, answer, err
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
		err = converge.Until(heedless, "the bucket to take what the stand-in answered", v.cfg.Timeout, func(ctx context.Context) (bool, string, error) {
			err := escrow.Keep(ctx, sealed)
			return err == nil, "", err
		})
	}
	return set, answer, err
}

// replaceStandIn opens vault-0 and sends it the snapshot, unless it has it already.
func (v *Vault) replaceStandIn(ctx context.Context, stand *custody.Answer, h *custody.Hand, archive []byte) error {
	var at replica
	err := converge.Until(ctx, "vault-0 to be open", v.cfg.Timeout, func(ctx context.Context) (_ bool, pending string, err error) {
		at, pending, err = v.openEither(ctx, stand, h)
		return err == nil && pending == "", pending, err
	})
	if err != nil {
		return err
	}
	if alive, err := (session{at.peer, stand.Root}).alive(ctx); err != nil || !alive {
		return err
	}
	if err := v.allowed(ctx, "the restore"); err != nil {
		return err
	}
	err = at.peer.do(ctx, request{method: http.MethodPost, path: restorePath, token: stand.Root, body: archive, timeout: transferTimeout}, nil)
	var answer *apiError
	if errors.As(err, &answer) {
		return fmt.Errorf("restore the snapshot: %w", err)
	}
	return nil // whether one that was not answered was taken is seen in what follows
}

// openEither opens vault-0 with the shares that it takes, the stand-in's or the snapshot's:
// Vault seals itself between the two. What is pending is "" once it is active.
func (v *Vault) openEither(ctx context.Context, stand *custody.Answer, h *custody.Hand) (at replica, pending string, err error) {
	replicas, err := v.look(ctx)
	if err != nil {
		return at, "", err
	}
	if at, ok := active(replicas); ok {
		return at, "", nil
	}
	at = replicas[0]
	switch at.state {
	case Sealed:
	case Active, Standby, Uninitialised, Unreachable:
		return at, at.pod.Name + ": " + reason(at), nil
	}
	_, err = at.peer.unseal(ctx, stand.Shares)
	if wrongShares(err) {
		_, err = at.peer.unseal(ctx, h.Shares())
	}
	if wrongShares(err) {
		err = converge.Permanent(hint.With(fmt.Errorf("neither the stand-in's key shares nor the snapshot's open %s: %w", at.pod.Name, err), "its storage is neither's; docs/vault.md says under \"Snapshots on raft\" how it is emptied"))
	}
	return at, "it was sealed", err
}

func otherInit(of Proof) error {
	return hint.With(fmt.Errorf("the snapshot opens with the key shares of %s, and this Vault never took those", of.Shares),
		"it is of a Vault that was initialised another time; docs/vault.md says under \"Snapshots on raft\" how such a one is brought back by hand")
}
