// SPDX-License-Identifier: Apache-2.0

package custody

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"clusterup.dev/clusterup/internal/store"
)

// A rekey gives Vault new shares for the data that it has. Its journal is like that
// of an init, under the folder of the init:
//
//	vault/<init>/rekey-<nonce>/0001-intent.json   new shares are about to be asked for
//	                           answer.json        all of them, sealed, until they are dealt
//	                           0002-stored.json   every one is stored for its holder; Vault still takes the old ones
//	                           0003-live.json     Vault takes these, and only these
//	                           0003-dropped.json  nothing came of it
//	                           0004-dropped.json  Vault's storage was brought back to before it
//	                           0005-live.json     and then to after it
//
// and its shares are in keys/<nonce>/. Between stored and what follows, it is not
// known which shares open Vault: those of before, or these. Both are stored. Where
// Vault seals to PGP keys it is "asked" instead of stored: see pgp.go.

const rekeyPrefix = "rekey-"

// Shareholding is the set of shares that open Vault as far as is known, as a Journal
// of its own: that of the last rekey that went live, or of the init.
func (j Journal) Shareholding() Journal {
	for _, r := range slices.Backward(j.rekeys) {
		if r.State == Live {
			return r
		}
	}
	return j
}

// Undecided is the set of a rekey that was cut off where it may or may not have
// taken effect.
func (j Journal) Undecided() (Journal, bool) {
	if n := len(j.rekeys); n > 0 && (j.rekeys[n-1].State == Stored || j.rekeys[n-1].State == Asked) {
		return j.rekeys[n-1], true
	}
	return Journal{}, false
}

// Others are the sets that Vault took once and does not take now, the newest first. A
// storage that is brought back from a backup takes the shares of its day again.
func (j Journal) Others() []Journal {
	now := j.Shareholding()
	var sets []Journal
	for _, r := range slices.Backward(j.rekeys) {
		if r.State != Stored && r.State != Asked && r.Nonce != now.Nonce {
			sets = append(sets, r)
		}
	}
	if now.Nonce != j.Nonce {
		sets = append(sets, j)
	}
	return sets
}

// BroughtBack records that Vault takes one of Others now, and none that came later.
func (e *Escrow) BroughtBack(ctx context.Context, j, to Journal) error {
	for _, r := range j.rekeys {
		state := r.State
		switch {
		case r.Nonce == to.Nonce:
			state = Live
		case r.Nonce > to.Nonce && r.State == Live:
			state = Dropped
		}
		if state == r.State {
			continue
		}
		if _, err := e.Record(ctx, r, state); err != nil {
			return err
		}
	}
	return nil
}

// IntendRekey records that new shares for these holders are about to be asked for,
// and proves, as Intend does, that they could be kept. It begins a new set each time.
func (e *Escrow) IntendRekey(ctx context.Context, j Journal, holders []Holder, threshold int) (Journal, error) {
	return e.intendSet(ctx, j, rekeyPrefix, "rekey", j.rekeys, holders, threshold)
}

// intendSet begins a set of shares below the init j, under a prefix and after those of before;
// what is about to be sent for it.
func (e *Escrow) intendSet(ctx context.Context, j Journal, prefix, what string, before []Journal, holders []Holder, threshold int) (Journal, error) {
	last := j.Nonce
	for _, r := range before {
		last = max(last, r.Nonce)
	}
	set := Journal{Nonce: newNonce(time.Now(), last), Threshold: threshold, Shares: map[string]int{}, Keys: map[string]string{}, Runner: e.Runner.Name}
	set.dir = j.folder() + prefix + set.Nonce + "/"
	for _, h := range holders {
		set.Shares[h.Name] += h.Shares
		set.Keys[h.Name] = h.Key()
	}
	set, err := e.add(ctx, set, record{State: Intent, Threshold: threshold, Shares: set.Shares, Keys: set.Keys})
	if err != nil {
		return set, err
	}
	if err := e.preflight(ctx, set, holders); err != nil {
		return set, fmt.Errorf("before the %s: %w", what, err)
	}
	return set, nil
}

// folded folds a listing into the sets whose folders have this prefix, oldest first. Of
// each it knows the nonce, how far it got, and whether its answer is there.
func folded(entries []store.Entry, prefix string) []Journal {
	var sets []Journal
	for _, entry := range entries { // sorted: the records of a set follow each other, and its answer follows them
		rest, ok := strings.CutPrefix(entry.Key, prefix)
		nonce, name, cut := strings.Cut(rest, "/")
		if !ok || !cut {
			continue
		}
		var seq int
		var state State
		if n, err := fmt.Sscanf(strings.TrimSuffix(name, ".json"), "%04d-%s", &seq, &state); err == nil && n == 2 {
			if len(sets) == 0 || sets[len(sets)-1].Nonce != nonce {
				sets = append(sets, Journal{Nonce: nonce, dir: prefix + nonce + "/"})
			}
			if last := &sets[len(sets)-1]; seq > last.seq {
				last.seq, last.Before, last.State = seq, last.State, state
			}
		}
		if n := len(sets); name == answerName && n > 0 && sets[n-1].Nonce == nonce {
			sets[n-1].Answer = true
		}
	}
	return sets
}

// readIntent completes a folded set with what its intent says.
func (e *Escrow) readIntent(ctx context.Context, set *Journal) error {
	var intent record
	if err := e.getJSON(ctx, recordIn(set.dir, 1, Intent), &intent); err != nil {
		return err
	}
	set.Threshold, set.Shares, set.Keys, set.Runner = intent.Threshold, intent.Shares, intent.Keys, intent.By
	return nil
}

// rekeys folds a listing into the sets of an init that were stored. Those that
// did not get so far never opened anything.
func (e *Escrow) rekeys(ctx context.Context, j Journal, entries []store.Entry) ([]Journal, error) {
	sets := folded(entries, j.folder()+rekeyPrefix)
	sets = slices.DeleteFunc(sets, func(s Journal) bool {
		return s.State != Stored && s.State != Asked && s.State != Live && (s.State != Dropped || s.Before != Live)
	})
	for i := range sets {
		if err := e.readIntent(ctx, &sets[i]); err != nil {
			return nil, fmt.Errorf("the journal of a rekey: %w", err)
		}
		if err := e.readAsked(ctx, &sets[i]); err != nil {
			return nil, err
		}
	}
	return sets, nil
}
