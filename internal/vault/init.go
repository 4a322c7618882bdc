// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/custody"
)

// initStep initialises Vault once, and sees to it that the shares are safe.
type initStep struct{ v *Vault }

// initBasis is what the plan rests on.
type initBasis struct {
	journal custody.Journal
	todo    todo
	known   bool // a replica answered; otherwise todo is what the journal suggests
}

// todo is what is left of an init.
type todo string

const (
	nothing todo = ""
	begin   todo = "init"       // a new init under a new nonce
	resume  todo = "init anew"  // the intent is recorded, and Vault was never initialised
	deal    todo = "deal"       // the answer is safe; the holders have not got their shares
	adopt   todo = "adopt"      // a destroyed environment's storage is still there
	anew    todo = "begin anew" // the init was lost, and it was asked for to empty its storage
)

func (initStep) Name() string { return InitStep }

func (s initStep) Plan(ctx context.Context) (converge.Plan, error) {
	replicas, err := s.v.look(ctx)
	if err != nil {
		return converge.Plan{}, err
	}
	_, journal, err := s.v.records(ctx)
	if err != nil {
		return converge.Plan{}, err
	}
	initialised, known, err := answered(replicas)
	what := nothing
	if err == nil {
		if !known {
			initialised = journal.Safe() && journal.State != custody.Destroyed
		}
		what, err = decide(initialised, journal)
	}
	if s.v.cfg.Reinitialise && lost(err) && !journal.Safe() {
		_, err = s.v.unused(ctx, replicas)
		what, known = anew, true
	}
	if err != nil && (known || errors.Is(err, ErrHalf)) {
		return converge.Plan{}, s.v.advise(err)
	}
	if initialised && journal.Safe() {
		if err := s.v.checkStandIn(ctx, journal, replicas); err != nil {
			return converge.Plan{}, err
		}
		if err := s.v.checkDeal(journal); err != nil {
			return converge.Plan{}, err
		}
		if err := s.v.checkStorage(ctx, replicas); err != nil {
			return converge.Plan{}, err
		}
	}
	return converge.Plan{
		Changes: s.changes(what, known),
		Basis:   initBasis{journal, what, known},
	}, nil
}

// decide compares what Vault says with what the journal says.
func decide(initialised bool, j custody.Journal) (todo, error) {
	switch {
	case initialised && !j.Exists():
		return nothing, foreignError()
	case initialised && !j.Safe():
		return nothing, lostError(j)
	case initialised && j.State == custody.Destroyed:
		return adopt, nil
	case initialised && j.State == custody.Intent:
		return deal, nil
	case initialised:
		return nothing, nil
	case !j.Exists() || j.State == custody.Destroyed:
		return begin, nil
	case !j.Safe():
		return resume, nil
	}
	return nothing, goneError(j)
}

func (s initStep) changes(what todo, known bool) []converge.Change {
	note := ""
	switch what {
	case begin:
		note = fmt.Sprintf("init: %d %s to %s, %d of them %s", s.v.shares(), s.v.cfg.Settings.keys(), s.v.holderNames(), s.v.cfg.Settings.Threshold, s.v.cfg.Settings.power())
		if s.v.SealsToPGP() {
			note = fmt.Sprintf("init: throwaway %s to whoever runs, until Vault seals to the holders' PGP keys", s.v.cfg.Settings.keys())
		}
	case resume:
		note = "init: it was begun before, and nothing came of it"
	case deal:
		note = "give the holders their key shares"
	case anew:
		note = fmt.Sprintf("empty its storage, which holds a lost init and nothing else, and init anew: %d key shares to %s, %d of them open it",
			s.v.shares(), s.v.holderNames(), s.v.cfg.Settings.Threshold)
	case adopt:
		note = "its storage outlived the environment: take it up again"
	case nothing:
		if known {
			return nil
		}
		return []converge.Change{{Subject: "Vault", Action: converge.Wait, Note: "no replica answers yet"}}
	}
	return []converge.Change{{Subject: "Vault", Action: converge.Run, Note: note}}
}

func (s initStep) Apply(ctx context.Context, p converge.Plan) error {
	return s.v.advise(s.apply(ctx, p))
}

func (s initStep) apply(ctx context.Context, p converge.Plan) error {
	basis, ok := p.Basis.(initBasis)
	if !ok {
		return converge.ErrStale
	}
	escrow, err := s.v.cfg.Escrow(ctx)
	if err != nil {
		return err
	}
	if basis.todo == anew {
		return s.again(ctx, escrow, basis)
	}
	first, initialised, err := s.v.first(ctx)
	if err != nil {
		return err
	}
	journal, err := escrow.Read(ctx)
	if err != nil {
		return err
	}
	what, err := decide(initialised, journal)
	if err != nil {
		return err
	}
	if !journal.Same(basis.journal) || what != basis.todo {
		return fmt.Errorf("the init of Vault: %w", converge.ErrStale)
	}
	switch what {
	case begin, resume:
		return s.v.initialise(ctx, first.peer, escrow, journal)
	case deal:
		_, err = escrow.Deal(ctx, journal)
	case adopt:
		_, err = escrow.Record(ctx, journal, journal.Before)
	}
	return err
}

// again is the init after one that was lost.
func (s initStep) again(ctx context.Context, escrow *custody.Escrow, basis initBasis) error {
	journal, err := escrow.Read(ctx)
	if err != nil {
		return err
	}
	if !journal.Same(basis.journal) {
		return fmt.Errorf("the init of Vault: %w", converge.ErrStale)
	}
	return s.v.reinitialise(ctx, escrow, journal)
}

// Destroy records that the environment is gone, so that a later one may begin
// anew. The shares stay: storage may outlive the environment. What a purge that
// was cut off left is the next purge's.
func (s initStep) Destroy(ctx context.Context) error {
	escrow, journal, err := s.v.records(ctx)
	if errors.Is(err, custody.ErrTorn) {
		return nil
	}
	if err != nil || !journal.Exists() || journal.State == custody.Destroyed {
		return err
	}
	_, err = escrow.Record(ctx, journal, custody.Destroyed)
	return err
}

// first waits for the one replica that init goes through: Vault keeps two inits
// apart inside a process only. On raft, where each replica knows of its own volume alone,
// it waits for all of them before it says that none is initialised.
func (v *Vault) first(ctx context.Context) (first replica, initialised bool, err error) {
	err = converge.Until(ctx, "vault-0 to answer", v.cfg.Timeout, func(ctx context.Context) (done bool, pending string, err error) {
		replicas, err := v.look(ctx)
		if err != nil {
			return false, "", err
		}
		if initialised, _, err = answered(replicas); err != nil {
			return false, "", converge.Permanent(err)
		}
		if away := inState(replicas, Unreachable); v.cfg.Settings.OnRaft() && !initialised && len(away) > 0 {
			return false, "", fmt.Errorf("%s has to answer too, since it could hold the data: %w", away[0].pod.Name, away[0].err)
		}
		first = replicas[0]
		return first.state != Unreachable, "", first.err
	})
	return first, initialised, err
}
