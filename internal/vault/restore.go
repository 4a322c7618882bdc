// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
)

// lostPatience is how long it may take a Vault whose answer was lost to show that it acts.
const lostPatience = 30 * time.Second

// Restorable refuses a snapshot that the key shares of this Vault do not open: one of
// another init.
func (v *Vault) Restorable(ctx context.Context, of Proof) error {
	if err := v.OnRaft(); err != nil {
		return err
	}
	j, err := v.quiet(ctx)
	if err != nil {
		return err
	}
	if _, ok := setOf(j, of); !ok {
		return otherInit(of)
	}
	return nil
}

// setOf is the set of key shares that a snapshot opens with.
func setOf(j custody.Journal, of Proof) (custody.Journal, bool) {
	sets := append(j.Others(), j.Shareholding())
	i := slices.IndexFunc(sets, func(set custody.Journal) bool { return set.Nonce == of.Shares })
	if i < 0 {
		return custody.Journal{}, false
	}
	return sets[i], true
}

// Restore gives a Vault on raft the state of a snapshot in the place of its own, with a
// root token out of a threshold of today's shares. Those of the snapshot's day count from
// then on. The caller has checked the archive, and opens replicas that sealed themselves.
//
// Vault answers before it acts, and says nothing when it fails after that. That it has acted
// is seen by the root token, which is not in what is restored, and by the mark, which is.
// Once the snapshot is sent, this is found out whether or not ctx ends.
func (v *Vault) Restore(ctx context.Context, h *custody.Hand, how Emergency, archive []byte, of Proof) (proven Proven, err error) {
	if err := v.Restorable(ctx, of); err != nil {
		return proven, err
	}
	if err := h.Enough(); err != nil {
		return proven, err
	}
	replicas, err := v.look(ctx)
	if err != nil {
		return proven, err
	}
	if sealed := inState(replicas, Sealed); len(sealed) > 0 {
		return proven, hint.With(fmt.Errorf("%s is sealed", sealed[0].pod.Name), "`clusterup reconcile ENV` or `clusterup vault unseal ENV` first: afterwards nobody could tell which key shares it waits for")
	}
	err = v.WithRoot(ctx, h, how, func(ctx context.Context, root Root) error {
		at, err := v.activeReplica(ctx)
		if err != nil {
			return err
		}
		sent := at.peer.do(ctx, request{method: http.MethodPost, path: restorePath, token: root.Token, body: archive, timeout: transferTimeout}, nil)
		var answer *apiError
		patience := v.cfg.Timeout
		switch {
		case errors.As(sent, &answer):
			return fmt.Errorf("restore the snapshot: %w", sent)
		case sent != nil:
			patience = min(patience, lostPatience)
			converge.Progress(ctx, "the answer was lost: finding out whether Vault took the snapshot")
		default:
			converge.Progress(ctx, "Vault has taken the snapshot, and makes it its own")
		}
		proven, err = v.takesOver(context.WithoutCancel(ctx), root, h, of, patience)
		if err != nil {
			return errors.Join(sent, err)
		}
		return nil
	})
	return proven, err
}

// takesOver waits until the active replica holds the snapshot, and records whose shares
// count then. Where all replicas sealed themselves it opens them.
func (v *Vault) takesOver(ctx context.Context, root Root, h *custody.Hand, of Proof, patience time.Duration) (proven Proven, err error) {
	escrow, j, err := v.records(ctx)
	if err != nil {
		return proven, err
	}
	set, _ := setOf(j, of)
	err = converge.Until(ctx, "Vault to hold the snapshot", patience, func(ctx context.Context) (bool, string, error) {
		replicas, err := v.look(ctx)
		if err != nil {
			return false, "", err
		}
		at, ok := active(replicas)
		if !ok {
			return false, notServing(replicas), reopen(ctx, inState(replicas, Sealed), escrow, set, h)
		}
		alive, err := session{at.peer, root.Token}.alive(ctx)
		if err != nil || alive {
			return false, "it takes the root token of before the restore", err
		}
		var held bool
		proven, held, err = v.holds(ctx, at, of)
		return held, "it refuses the root token, and " + notMarked, err
	})
	switch {
	case needsHolders(err):
		return proven, hint.With(fmt.Errorf("vault was given the snapshot, and all of it is sealed: %w", err),
			"with the key shares of the snapshot's day: `clusterup vault unseal ENV%s` (docs/vault.md), then `clusterup reconcile ENV`", earlier(j, set))
	case err != nil:
		return proven, hint.With(err, "the log of the active pod says what Vault did (`kubectl -n %s logs`); if it holds the snapshot all the same, restart its pods and `clusterup reconcile ENV`, else restore again", v.cfg.Namespace)
	}
	// Vault goes on with what it has in memory; the shares are asked for when it starts again.
	if err := v.settle(ctx, set); err != nil {
		return proven, hint.With(fmt.Errorf("vault holds the snapshot, and that its key shares are those of %s again is not recorded: %w", set.Nonce, err),
			"restart its pods one after the other and `clusterup reconcile ENV`, which finds it out")
	}
	return proven, nil
}

// reopen opens replicas with the shares of the snapshot's day, or with today's where Vault
// failed to take it. No waiting mends that others have to come for those of that day.
func reopen(ctx context.Context, sealed []replica, escrow *custody.Escrow, set custody.Journal, h *custody.Hand) error {
	if len(sealed) == 0 {
		return nil
	}
	if set.Nonce == h.Journal().Nonce {
		_, err := unsealAll(ctx, sealed, h.Shares(), set)
		return err
	}
	shares, refused := escrow.Open(ctx, set)
	if refused == nil {
		defer wipe(shares)
		if _, refused = unsealAll(ctx, sealed, shares, set); !wrongShares(refused) {
			return refused
		}
	}
	if _, err := unsealAll(ctx, sealed, h.Shares(), h.Journal()); !wrongShares(err) {
		return err
	}
	return converge.Permanent(refused)
}

// earlier is the flag that takes a set by hand; "" for today's.
func earlier(j, set custody.Journal) string {
	switch n := slices.IndexFunc(j.Others(), func(o custody.Journal) bool { return o.Nonce == set.Nonce }); n {
	case -1:
		return ""
	case 0:
		return " --earlier-shares"
	default:
		return fmt.Sprintf(" --earlier-shares=%d", n+1)
	}
}

// Proven is what was read after a restore.
type Proven struct {
	Proof
	Missing []string `json:"missing,omitempty"` // "engine secret/": was there, and is not
}

const notMarked = "the policy " + MarkPolicy + " is not the one of the snapshot"

// holds reports whether a replica holds a snapshot, and compares what else was there.
func (v *Vault) holds(ctx context.Context, at replica, of Proof) (Proven, bool, error) {
	have, err := v.facts(ctx, at)
	return proveBy(of, have), err == nil && have.Mark == of.Mark, err
}

// proveBy compares what was there with what is.
func proveBy(want, have Proof) Proven {
	proven := Proven{Proof: want}
	for _, kind := range []struct {
		name       string
		want, have []string
	}{{"engine", want.Engines, have.Engines}, {"auth method", want.Methods, have.Methods}} {
		for _, one := range kind.want {
			if !slices.Contains(kind.have, one) {
				proven.Missing = append(proven.Missing, kind.name+" "+one)
			}
		}
	}
	return proven
}

// facts logs in for one look.
func (v *Vault) facts(ctx context.Context, at replica) (have Proof, err error) {
	s, err := v.login(ctx, at.peer)
	if err != nil {
		return have, err
	}
	defer func() { err = errors.Join(err, s.end(ctx)) }()
	return s.facts(ctx)
}
