// SPDX-License-Identifier: Apache-2.0

package custody

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/store"
)

// State is how far an init got, as the journal records it.
type State string

// The states, in their order. Between Intent and Stored lies the answer object,
// which Journal.Answer reports.
const (
	Intent     State = "intent"     // init is about to be sent
	Stored     State = "stored"     // every share is stored for its holder and was read back
	Configured State = "configured" // the first configuration is done; the root token is still alive
	Revoked    State = "revoked"    // the root token is revoked and its sealed copy is gone
	Destroyed  State = "destroyed"  // the environment was destroyed; the shares are kept

	Asked   State = "asked"   // of a rekey to PGP keys: Vault is about to be given what completes it
	Live    State = "live"    // of a rekey: its shares are those that open Vault
	Dropped State = "dropped" // of a rekey: nothing came of it
)

// Journal is what the bucket knows of the newest init. The zero Journal means
// that there never was one.
type Journal struct {
	Nonce     string
	State     State // of the last record
	Before    State // of the record before it: where a destroyed one stood
	Threshold int
	Shares    map[string]int    // holder → shares dealt by the intent
	Keys      map[string]string // holder → the public key that their shares are sealed to
	Runner    string            // who began it, and can open the root token
	Answer    bool              // the answer object is there
	Throwaway bool              // of an init: its shares are the runner's until the holders get theirs
	Attempt   string            // of a rekey to PGP keys: what Vault calls it, once it is Asked

	seq    int
	dir    string    // where its records are; "" is that of an init
	rekeys []Journal // of an init: the later sets of shares, oldest first, as far as they matter

	standIns []Journal // of an init: what stood in for it while its storage was lost, oldest first
}

// folder is where its records are.
func (j Journal) folder() string {
	if j.dir != "" {
		return j.dir
	}
	return journalPrefix + j.Nonce + "/"
}

// Exists reports whether an init was ever begun.
func (j Journal) Exists() bool { return j.Nonce != "" }

// Safe reports whether the shares of this init are in the bucket.
func (j Journal) Safe() bool { return j.Answer || (j.Exists() && j.reached() != Intent) }

// Dealt reports whether every share was stored for its holder.
func (j Journal) Dealt() bool { return j.Exists() && j.reached() != Intent }

// reached is how far the init got, destroyed since or not.
func (j Journal) reached() State {
	if j.State == Destroyed {
		return j.Before
	}
	return j.State
}

// Same reports whether two looks saw the same.
func (j Journal) Same(o Journal) bool {
	return j.Nonce == o.Nonce && j.seq == o.seq && j.Answer == o.Answer &&
		slices.EqualFunc(j.rekeys, o.rekeys, Journal.Same)
}

// record is a journal entry. Only the intent carries the deal.
type record struct {
	State     State             `json:"state"`
	At        time.Time         `json:"at"`
	By        string            `json:"by"`
	Threshold int               `json:"threshold,omitempty"`
	Shares    map[string]int    `json:"shares,omitempty"`
	Keys      map[string]string `json:"keys,omitempty"`
	Throwaway bool              `json:"throwaway,omitempty"`
	Attempt   string            `json:"attempt,omitempty"` // of Asked
}

const (
	journalPrefix = "vault/"
	keysPrefix    = "keys/"
	answerName    = "answer.json"
)

// ErrTorn says that records are there and the intent they follow is not: only a
// purge that was cut off leaves that.
var ErrTorn = errors.New("the journal of Vault's init has lost its beginning")

// Read finds the newest init by listing.
func (e *Escrow) Read(ctx context.Context) (Journal, error) {
	entries, err := e.Bucket.List(ctx, journalPrefix)
	if err != nil {
		return Journal{}, fmt.Errorf("listing the journal of Vault's init: %w", err)
	}
	j := newest(entries)
	if !j.Exists() {
		return j, nil
	}
	data, _, err := e.Bucket.Get(ctx, recordKey(j.Nonce, 1, Intent))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return Journal{}, hint.With(fmt.Errorf("%w: %s is not in the bucket", ErrTorn, recordKey(j.Nonce, 1, Intent)),
			"a purge was cut off: `clusterup destroy ENV --purge` deletes the rest; if nobody purged, restore that object")
	case err != nil:
		return Journal{}, fmt.Errorf("reading the journal of Vault's init: %w", err)
	}
	var intent record
	if err := json.Unmarshal(data, &intent); err != nil {
		return Journal{}, fmt.Errorf("reading the journal of Vault's init: %s: %w", recordKey(j.Nonce, 1, Intent), err)
	}
	j.Threshold, j.Shares, j.Keys, j.Runner, j.Throwaway = intent.Threshold, intent.Shares, intent.Keys, intent.By, intent.Throwaway
	if j.rekeys, err = e.rekeys(ctx, j, entries); err != nil {
		return j, err
	}
	j.standIns, err = e.standInsOf(ctx, j, entries)
	return j, err
}

// newest folds a listing into where the last nonce stands.
func newest(entries []store.Entry) Journal {
	var j Journal
	type step struct {
		seq   int
		state State
	}
	var steps []step
	answer := map[string]bool{}
	for _, entry := range entries {
		nonce, name, ok := strings.Cut(strings.TrimPrefix(entry.Key, journalPrefix), "/")
		if !ok || nonce < j.Nonce {
			continue
		}
		if name == answerName {
			answer[nonce] = true
			continue
		}
		num, state, ok := strings.Cut(strings.TrimSuffix(name, ".json"), "-")
		seq, err := strconv.Atoi(num)
		if !ok || err != nil {
			continue
		}
		if nonce > j.Nonce {
			j.Nonce, steps = nonce, nil
		}
		steps = append(steps, step{seq, State(state)})
	}
	slices.SortFunc(steps, func(a, b step) int { return cmp.Compare(a.seq, b.seq) })
	for _, s := range steps {
		j.seq, j.Before, j.State = s.seq, j.State, s.state
	}
	j.Answer = answer[j.Nonce]
	return j
}

// OtherKeys names the holders whose shares are sealed to another key than the one
// they have now, sorted.
func (j Journal) OtherKeys(now []Holder) []string {
	var names []string
	for _, h := range now {
		if was, ok := j.Keys[h.Name]; ok && was != h.Key() {
			names = append(names, h.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Record adds a state to the journal of j and returns where it stands now.
func (e *Escrow) Record(ctx context.Context, j Journal, state State) (Journal, error) {
	return e.add(ctx, j, record{State: state})
}

func (e *Escrow) add(ctx context.Context, j Journal, r record) (Journal, error) {
	r.At, r.By = time.Now().UTC().Truncate(time.Second), e.Runner.Name
	data, err := json.Marshal(r)
	if err != nil {
		return j, fmt.Errorf("encoding the journal of Vault's init: %w", err)
	}
	if err := e.putProven(ctx, recordIn(j.folder(), j.seq+1, r.State), data); err != nil {
		return j, err
	}
	j.seq, j.Before, j.State = j.seq+1, j.State, r.State
	return j, nil
}

func recordKey(nonce string, seq int, state State) string {
	return recordIn(Journal{Nonce: nonce}.folder(), seq, state)
}

func recordIn(folder string, seq int, state State) string {
	return fmt.Sprintf("%s%04d-%s.json", folder, seq, state)
}
