// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
)

// errHolds says that there is a Vault with data where a lost one was expected.
var errHolds = errors.New("vault holds data, so nothing was put into it")

func holdsError() error {
	return hint.With(errHolds, "if all of it is sealed, `clusterup reconcile ENV`; a restore that is still wanted keeps what is there as one more snapshot first")
}

// Lost reports whether a Vault on raft has lost all its storage while its key shares are
// in the bucket, so that Revive is what brings a snapshot back and not Restore. It is also
// lost while a stand-in that an earlier Revive left may be in its place.
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
	switch {
	case err != nil || !known:
		return false, err
	case !initialised && v.cfg.Settings.Auto():
		return false, hint.With(errors.New("this Vault opens itself, and a lost one of its kind is not brought back by clusterup"), "docs/vault.md says under \"Snapshots on raft\" how it is done by hand")
	case !initialised:
		return true, nil
	}
	set, err := escrow.StandIn(ctx, j)
	if err != nil || !set.Exists() {
		return false, err
	}
	stands, err := v.standsIn(ctx, replicas)
	if err == nil && !stands {
		err = escrow.Served(ctx, set) // a run ended before it could say so
	}
	return stands, err
}

// standsIn reports whether a stand-in may be what these replicas are.
func (v *Vault) standsIn(ctx context.Context, replicas []replica) (bool, error) {
	at, ok := active(replicas)
	if !ok {
		return true, nil
	}
	own, err := v.login(ctx, at.peer)
	switch {
	case isStatus(err, http.StatusBadRequest), isStatus(err, http.StatusForbidden), isStatus(err, http.StatusNotFound):
		return true, nil // a stand-in knows nothing of clusterup's role
	case err != nil:
		return false, err
	}
	return false, own.end(ctx)
}

// checkStandIn refuses to go on with a Vault that a cut-off Revive left half done: its
// replicas would be given key shares that it does not take.
func (v *Vault) checkStandIn(ctx context.Context, replicas []replica) error {
	if v.OnRaft() != nil {
		return nil
	}
	escrow, j, err := v.records(ctx)
	if err != nil {
		return err
	}
	if set, err := escrow.StandIn(ctx, j); err != nil || !set.Answer {
		return err
	}
	stands, err := v.standsIn(ctx, replicas)
	if err == nil && stands {
		err = hint.With(errors.New("a restore into this Vault, which had lost its storage, was cut off"), "`clusterup vault restore ENV` with the same snapshot goes on; it also finds out whether the volumes were brought back meanwhile")
	}
	return err
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
		have, err := v.facts(ctx, at)
		proven = proveBy(of, have)
		return err == nil && have.Mark == of.Mark, fmt.Sprintf("the policy %s is not the one of the snapshot", MarkPolicy), err
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
	set, err = escrow.StandIn(ctx, j)
	switch {
	case err != nil:
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
		err = converge.Until(heedless, "the bucket to take what the stand-in answered: do not stop this run", keepPatience, func(ctx context.Context) (bool, string, error) {
			err := escrow.Keep(ctx, sealed)
			return err == nil, "", err
		})
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
