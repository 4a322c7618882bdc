// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"net/http"

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
	set := j.StandIn()
	if !set.Exists() {
		return false, nil
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
func (v *Vault) checkStandIn(ctx context.Context, j custody.Journal, replicas []replica) error {
	if !j.StandIn().Answer {
		return nil
	}
	stands, err := v.standsIn(ctx, replicas)
	if err == nil && stands {
		err = hint.With(errors.New("a restore into this Vault, which had lost its storage, was cut off"), "`clusterup vault restore ENV` with the same snapshot goes on; it also finds out whether the volumes were brought back meanwhile")
	}
	return err
}
