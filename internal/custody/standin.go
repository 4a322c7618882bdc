// SPDX-License-Identifier: Apache-2.0

package custody

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"clusterup.dev/clusterup/internal/secret"
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
	was, err := e.lastStandIn(ctx, j)
	if err != nil {
		return set, nil, err
	}
	holders = []Holder{{Name: e.Runner.Name, Recipient: e.Runner.Recipient, Shares: shares}}
	set = Journal{Nonce: newNonce(time.Now(), max(j.Nonce, was.Nonce)), Threshold: threshold, Runner: e.Runner.Name, Shares: map[string]int{e.Runner.Name: shares}}
	set.dir = j.folder() + standInPrefix + set.Nonce + "/"
	if set, err = e.add(ctx, set, record{State: Intent, Threshold: threshold, Shares: set.Shares}); err != nil {
		return set, nil, err
	}
	if err := e.preflight(ctx, set, holders); err != nil {
		return set, nil, fmt.Errorf("before the stand-in's init: %w", err)
	}
	return set, holders, nil
}

// StandIn is the newest stand-in for the init j; a zero Journal if there is none, or if
// nothing is left of it. Its State is Intent, or Asked once it was about to be replaced.
func (e *Escrow) StandIn(ctx context.Context, j Journal) (Journal, error) {
	set, err := e.lastStandIn(ctx, j)
	if err != nil || !set.Exists() || set.State == Dropped {
		return Journal{}, err
	}
	var intent record
	if err := e.getJSON(ctx, recordIn(set.dir, 1, Intent), &intent); err != nil {
		return Journal{}, fmt.Errorf("the journal of a stand-in: %w", err)
	}
	set.Threshold, set.Shares, set.Runner = intent.Threshold, intent.Shares, intent.By
	return set, nil
}

func (e *Escrow) lastStandIn(ctx context.Context, j Journal) (set Journal, err error) {
	prefix := j.folder() + standInPrefix
	entries, err := e.Bucket.List(ctx, prefix)
	if err != nil {
		return set, fmt.Errorf("listing %s: %w", prefix, err)
	}
	for _, entry := range entries { // sorted, so that the records of a set follow each other
		nonce, name, ok := strings.Cut(strings.TrimPrefix(entry.Key, prefix), "/")
		if !ok {
			continue
		}
		if nonce != set.Nonce {
			set = Journal{Nonce: nonce, dir: prefix + nonce + "/"}
		}
		var seq int
		var state State
		if n, err := fmt.Sscanf(strings.TrimSuffix(name, ".json"), "%04d-%s", &seq, &state); err == nil && n == 2 && seq > set.seq {
			set.seq, set.Before, set.State = seq, set.State, state
		}
		set.Answer = set.Answer || name == answerName
	}
	return set, nil
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
		text, err := secret.Open(s.Sealed, e.Identities)
		if err == nil {
			var share secret.Value
			share, err = parseShare(text.Reveal())
			text.Wipe()
			answer.Shares = append(answer.Shares, share)
		}
		if err != nil {
			answer.Wipe()
			return nil, fmt.Errorf("opening %s: %w", answerKey(set), err)
		}
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
