// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
)

// What a run may find that it must not go on from. Nothing is ever wiped: each
// says what is lost, what is safe, and what a person can do.
var (
	ErrForeign = errors.New("vault is initialised, and the bucket knows nothing of it")
	ErrLost    = errors.New("vault is initialised, and its key shares were never stored")
	ErrOthers  = errors.New("vault was initialised by somebody else while this run was about to")
	ErrGone    = errors.New("vault says that it was never initialised, and its key shares are in the bucket")
	ErrHolders = errors.New("the holders or the threshold are not those that Vault's key shares were dealt for")
	ErrHalf    = errors.New("an init was cut off inside Vault")
)

func foreignError() error {
	return hint.With(ErrForeign, "somebody else initialised it, or `store` names another bucket; clusterup takes over no Vault whose shares it did not deal")
}

func lostError(j custody.Journal) error {
	return hint.With(fmt.Errorf("%w: a run ended between sending init %s and storing its answer, so unless somebody else initialised it, nobody can ever unseal this Vault, and no token of it was used, so nothing was put into it", ErrLost, j.Nonce),
		"`clusterup create ENV --reinitialize-empty` begins anew, after it has seen that the storage holds nothing else; nothing is wiped until you ask for it")
}

// advise says what there is to do about lost storage that has snapshots of its own, and
// about a lost init where --reinitialize-empty would refuse: the storage cannot be looked into, or Vault opens itself and serves.
func (v *Vault) advise(err error) error {
	if errors.Is(err, ErrGone) && v.OnRaft() == nil && !v.cfg.Settings.Auto() {
		return hint.With(err, "see that storage.type is what it was; bring the volumes back and run again; if they are lost, `clusterup vault restore ENV` puts the last snapshot into this empty Vault; without one, destroy the environment and create it anew: the shares stay in the bucket")
	}
	if !lost(err) || v.cfg.Storage != nil && !v.cfg.Settings.Auto() {
		return err
	}
	return hint.With(err, "empty Vault's storage by hand, as docs/vault.md says under \"An init without shares\", then run create again; nothing is wiped until you do")
}

func othersError(cause error) error {
	return hint.With(fmt.Errorf("%w: %w", ErrOthers, cause),
		"if another run of clusterup did, run again when it has ended; if it was done by hand, its key shares are with whoever did it: empty Vault's storage as docs/vault.md says only if they do not need it")
}

func goneError(j custody.Journal) error {
	return hint.With(fmt.Errorf("%w: init %s got as far as %q, so its storage was lost or is another one", ErrGone, j.Nonce, j.State),
		"see that storage.type is what it was; restore Consul's data, or on raft the volumes, and run again; if they are lost for good, destroy the environment and create it anew: the shares stay in the bucket")
}

// checkDeal refuses holders and a threshold that would silently not be put into effect.
func (v *Vault) checkDeal(j custody.Journal) error {
	want := map[string]int{}
	for _, h := range v.cfg.Settings.Holders {
		want[h.Operator] = h.Shares
	}
	same := func(set custody.Journal) bool {
		return maps.Equal(want, set.Shares) && v.cfg.Settings.Threshold == set.Threshold
	}
	if j.Provisional() && v.SealsToPGP() {
		return nil // vault/deal deals to whoever is in the file then
	}
	set := j.Shareholding()
	other, undecided := j.Undecided() // a rekey for these was cut off: Vault takes the one or the other
	if same(set) || undecided && same(other) {
		return nil
	}
	return hint.With(fmt.Errorf("%w: %s, %d of them %s", ErrHolders, heldBy(set.Shares), set.Threshold, v.cfg.Settings.power()),
		"`clusterup vault rekey ENV` deals new shares to the holders that the environment names now; or write these into it")
}

func heldBy(shares map[string]int) string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(shares)) {
		names = append(names, fmt.Sprintf("%s (%d)", name, shares[name]))
	}
	return strings.Join(names, ", ")
}

func halfError() error {
	return hint.With(fmt.Errorf("%w: its storage holds a barrier and no seal configuration, so it holds no data and can never be unsealed", ErrHalf),
		"`clusterup create ENV --reinitialize-empty` begins anew, after it has seen that the storage holds nothing else")
}

func loginError(err error) error {
	return hint.With(fmt.Errorf("logging in to Vault as clusterup's own service account: %w", err),
		"the auth method kubernetes, its role clusterup or its policy clusterup is not as it was left; docs/vault.md says under \"Locked out\" how the holders repair it")
}
