// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
)

// Sealed names the replicas that answer and are sealed. That none is known to be
// initialised is an error: there is nothing to unseal.
func (v *Vault) Sealed(ctx context.Context) ([]string, error) {
	replicas, err := v.look(ctx)
	if err != nil {
		return nil, err
	}
	initialised, known, err := answered(replicas)
	switch {
	case err != nil:
		return nil, err
	case !known:
		return nil, hint.With(fmt.Errorf("no replica of Vault answers: %s", notServing(replicas)), "look at the pods with `clusterup status ENV`")
	case !initialised:
		return nil, hint.With(errors.New("vault is not initialised"), "`clusterup create ENV` does that")
	}
	var names []string
	for _, r := range inState(replicas, Sealed) {
		names = append(names, r.pod.Name)
	}
	if len(names) > 0 && v.cfg.Settings.Auto() {
		return nil, hint.With(fmt.Errorf("%s: sealed, and this Vault opens itself by %s: what its holders have are recovery keys, which do not unseal", strings.Join(names, ", "), v.cfg.Settings.seal()),
			"its log says what keeps it: `kubectl -n %s logs %s -c vault`", v.cfg.Namespace, names[0])
	}
	return names, nil
}

// Unseal gives the shares of a hand to every sealed replica that answers, and
// waits until one replica is active. Pods that are not running are not waited for.
func (v *Vault) Unseal(ctx context.Context, h *custody.Hand) error {
	if err := h.Enough(); err != nil {
		return err
	}
	given := false
	err := converge.Until(ctx, "Vault to be unsealed", v.cfg.Timeout, func(ctx context.Context) (bool, string, error) {
		replicas, err := v.look(ctx)
		if err != nil {
			return false, "", err
		}
		if sealed := inState(replicas, Sealed); len(sealed) > 0 {
			opened, err := unsealAll(ctx, sealed, h.Shares(), h.Journal())
			given = given || opened || slices.ContainsFunc(sealed, func(r replica) bool { return r.peer.joined.Load() })
			return false, notServing(replicas), err // look again
		}
		if _, ok := active(replicas); !ok {
			return false, "no replica is active yet", nil
		}
		return true, "", nil
	})
	if err != nil {
		return err
	}
	if !given {
		return nil // somebody else's shares opened it
	}
	return v.took(ctx, h)
}

// took records that a hand's shares opened Vault.
func (v *Vault) took(ctx context.Context, h *custody.Hand) error {
	if err := v.settle(ctx, h.Journal()); err != nil {
		return err
	}
	return v.partook(ctx, h, "unseal")
}

// settle records that Vault took a set of shares that was not thought to be the one.
func (v *Vault) settle(ctx context.Context, taken custody.Journal) error {
	escrow, j, err := v.dealt(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(j.Others(), func(o custody.Journal) bool { return o.Nonce == taken.Nonce }) {
		return escrow.BroughtBack(ctx, j, taken)
	}
	return nil
}

// Contribute gives what a hand holds to every sealed replica and leaves the rest to
// other holders, who may be elsewhere: Vault keeps what it was given until it has
// enough, is restarted, or is given a wrong share. It returns how many more shares
// the replica that has the fewest asks for.
func (v *Vault) Contribute(ctx context.Context, h *custody.Hand) (missing int, err error) {
	if len(h.Shares()) == 0 {
		return 0, h.Enough()
	}
	replicas, err := v.look(ctx)
	if err != nil {
		return 0, err
	}
	opened, all := false, true
	for _, r := range inState(replicas, Sealed) {
		status, err := r.peer.sealStatus(ctx)
		given := 0
		for _, share := range h.Shares() {
			if err != nil || !status.Sealed {
				break
			}
			err = r.peer.give(ctx, share, &status)
			given++
		}
		switch {
		case isStatus(err, http.StatusBadRequest):
			return 0, hint.With(fmt.Errorf("the key shares that %s was given do not open it, and it has dropped all of them: %w", r.pod.Name, err),
				"one of them is another init's: let every holder check theirs with `clusterup vault verify-share ENV`, and begin anew")
		case err != nil:
			return 0, fmt.Errorf("giving a key share to %s: %w", r.pod.Name, err)
		case status.Sealed:
			missing = max(missing, status.Threshold-status.Progress)
		case given > 0:
			opened, all = true, all && given == len(h.Shares())
		}
	}
	if opened && all { // by right shares alone, and each of the hand's was one of them
		err = v.took(ctx, h)
	}
	return missing, err
}
