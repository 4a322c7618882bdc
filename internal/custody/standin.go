// SPDX-License-Identifier: Apache-2.0

package custody

import (
	"context"
	"errors"
	"fmt"

	"clusterup.dev/clusterup/internal/store"
)

// A stand-in is an init of a Vault that lost its storage: it lives only until a snapshot
// takes its place. What it answers is the runner's, and no holder ever sees it:
//
//	vault/<init>/standin-<nonce>/0001-intent.json    it is about to be sent
//	                             answer.json         its shares and root token, sealed to the runner; deleted
//	                                                 once the snapshot is there, which makes them worth nothing
//	                             0002-asked.json     Vault is about to be given the snapshot
//	                             0003-dropped.json   nothing is left of it

const standInPrefix = "standin-"

// IntendStandIn records that a stand-in for the init j is about to be sent, and proves, as
// Intend does, that its answer could be kept. The set has one holder, the runner.
func (e *Escrow) IntendStandIn(ctx context.Context, j Journal, shares, threshold int) (set Journal, holders []Holder, err error) {
	holders = []Holder{{Name: e.Runner.Name, Recipient: e.Runner.Recipient, Shares: shares}}
	set, err = e.intendSet(ctx, j, standInPrefix, "stand-in's init", j.standIns, holders, threshold)
	return set, holders, err
}

// StandIn is the newest stand-in for the init j; a zero Journal if there is none, or if
// nothing is left of it. Its State is Intent, or Asked once it was about to be replaced.
func (j Journal) StandIn() Journal {
	if n := len(j.standIns); n > 0 && j.standIns[n-1].State != Dropped {
		return j.standIns[n-1]
	}
	return Journal{}
}

// standInsOf folds a listing into the stand-ins for the init j.
func (e *Escrow) standInsOf(ctx context.Context, j Journal, entries []store.Entry) ([]Journal, error) {
	sets := folded(entries, j.folder()+standInPrefix)
	if n := len(sets); n > 0 && sets[n-1].State != Dropped {
		if err := e.readIntent(ctx, &sets[n-1]); err != nil {
			return nil, fmt.Errorf("the journal of a stand-in: %w", err)
		}
	}
	return sets, nil
}

// Answered opens all that a set's init answered. The error is a *NeedHolders when another
// operator began it. The caller wipes it.
func (e *Escrow) Answered(ctx context.Context, set Journal) (*Answer, error) {
	root, err := e.Root(ctx, set)
	var need *NeedHolders
	if errors.As(err, &need) {
		need.What = "the root token of the stand-in " + set.Nonce
	}
	if err != nil {
		return nil, err
	}
	answer := &Answer{Root: root}
	kept, err := e.answer(ctx, set)
	if err != nil {
		answer.Wipe()
		return nil, err
	}
	for _, s := range kept.Shares {
		share, err := e.unsealShare(s.Sealed)
		if err != nil {
			answer.Wipe()
			return nil, fmt.Errorf("opening %s: %w", answerKey(set), err)
		}
		answer.Shares = append(answer.Shares, share)
	}
	return answer, nil
}

// Served deletes what a stand-in answered, and records that nothing is left of it.
func (e *Escrow) Served(ctx context.Context, set Journal) error {
	if err := e.Forget(ctx, set); err != nil {
		return err
	}
	_, err := e.Record(ctx, set, Dropped)
	return err
}
