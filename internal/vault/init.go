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
	"clusterup.dev/clusterup/internal/secret"
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
	begin   todo = "init"      // a new init under a new nonce
	resume  todo = "init anew" // the intent is recorded, and Vault was never initialised
	deal    todo = "deal"      // the answer is safe; the holders have not got their shares
	adopt   todo = "adopt"     // a destroyed environment's storage is still there
)

func (initStep) Name() string { return "vault/init" }

func (s initStep) Plan(ctx context.Context) (converge.Plan, error) {
	replicas, err := s.v.look(ctx)
	if err != nil {
		return converge.Plan{}, err
	}
	escrow, err := s.v.cfg.Escrow(ctx)
	if err != nil {
		return converge.Plan{}, err
	}
	journal, err := escrow.Read(ctx)
	if err != nil {
		return converge.Plan{}, err
	}
	initialised, known, err := answered(replicas)
	if err != nil {
		return converge.Plan{}, err
	}
	if !known {
		initialised = journal.Safe() && journal.State != custody.Destroyed
	}
	what, err := decide(initialised, journal)
	if err != nil && known {
		return converge.Plan{}, err
	}
	if initialised && journal.Safe() {
		if err := s.v.checkDeal(journal); err != nil {
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
		note = fmt.Sprintf("init: %d key shares to %s, %d of them open it", s.v.shares(), s.v.holderNames(), s.v.cfg.Settings.Threshold)
	case resume:
		note = "init: it was begun before, and nothing came of it"
	case deal:
		note = "give the holders their key shares"
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
	basis, ok := p.Basis.(initBasis)
	if !ok {
		return converge.ErrStale
	}
	escrow, err := s.v.cfg.Escrow(ctx)
	if err != nil {
		return err
	}
	first, err := s.v.first(ctx)
	if err != nil {
		return err
	}
	journal, err := escrow.Read(ctx)
	if err != nil {
		return err
	}
	what, err := decide(first.state != Uninitialised, journal)
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

// Destroy records that the environment is gone, so that a later one may begin
// anew. The shares stay: storage may outlive the environment.
func (s initStep) Destroy(ctx context.Context) error {
	escrow, err := s.v.cfg.Escrow(ctx)
	if err != nil {
		return err
	}
	journal, err := escrow.Read(ctx)
	if err != nil || !journal.Exists() || journal.State == custody.Destroyed {
		return err
	}
	_, err = escrow.Record(ctx, journal, custody.Destroyed)
	return err
}

// first waits for the one replica that init goes through: Vault keeps two inits
// apart inside a process only.
func (v *Vault) first(ctx context.Context) (first replica, err error) {
	err = converge.Until(ctx, "vault-0 to answer", v.cfg.Timeout, func(ctx context.Context) (bool, string, error) {
		replicas, err := v.look(ctx)
		if err != nil {
			return false, "", err
		}
		if _, _, err := answered(replicas); err != nil {
			return false, "", converge.Permanent(err)
		}
		first = replicas[0]
		return first.state != Unreachable, "", first.err
	})
	return first, err
}

const (
	// initDeadline is long because an answer that is not waited for is lost.
	initDeadline = 10 * time.Minute
	// keepPatience is how long a store that fails after the init is tried
	// again: the shares are nowhere else.
	keepPatience = time.Hour
)

// initialise sends init and keeps what it answers. From the moment it is sent
// until the answer is kept, the end of ctx is not heeded.
func (v *Vault) initialise(ctx context.Context, c *client, escrow *custody.Escrow, was custody.Journal) error {
	journal, err := escrow.Intend(ctx, was, v.cfg.Holders, v.cfg.Settings.Threshold)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	heedless := context.WithoutCancel(ctx)
	answer, err := c.sendInit(heedless, v.shares(), v.cfg.Settings.Threshold)
	if err != nil {
		return v.unanswered(heedless, c, journal, err)
	}
	sealed, err := escrow.SealAnswer(journal, v.cfg.Holders, answer)
	answer.Wipe()
	if err != nil {
		return fmt.Errorf("%w: %w", lostError(journal), err)
	}
	err = converge.Until(heedless, "the bucket to take Vault's key shares, which are only in memory: do not stop this run", keepPatience,
		func(ctx context.Context) (bool, string, error) {
			err := escrow.Keep(ctx, sealed)
			return err == nil, "", err
		})
	if err != nil {
		return fmt.Errorf("%w: %w", lostError(journal), err)
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	journal.Answer = true
	_, err = escrow.Deal(ctx, journal)
	return err
}

// sendInit sends the one request that cannot be repeated.
func (c *client) sendInit(ctx context.Context, shares, threshold int) (*custody.Answer, error) {
	var out struct {
		Keys [][]byte `json:"keys_base64"`
		Root rawText  `json:"root_token"`
	}
	err := c.do(ctx, request{
		method: http.MethodPut, path: "sys/init", timeout: initDeadline,
		body: map[string]int{"secret_shares": shares, "secret_threshold": threshold},
	}, &out)
	if err != nil {
		return nil, err
	}
	answer := &custody.Answer{Root: secret.NewValue(out.Root)}
	for _, k := range out.Keys {
		answer.Shares = append(answer.Shares, secret.NewValue(k))
	}
	if len(answer.Shares) != shares || answer.Root.IsZero() {
		defer answer.Wipe()
		return nil, fmt.Errorf("init answered %d of %d shares", len(answer.Shares), shares)
	}
	return answer, nil
}

// afterwards bounds how long an unanswered init is asked after.
const afterwards = 30 * time.Second

// unanswered says what an init without an answer left behind.
func (v *Vault) unanswered(ctx context.Context, c *client, j custody.Journal, cause error) error {
	var state State
	err := converge.Until(ctx, "Vault to say whether the init was carried out", afterwards, func(ctx context.Context) (done bool, pending string, err error) {
		state, err = c.health(ctx)
		return err == nil, "", err
	})
	switch {
	case errors.Is(err, ErrHalf):
		return halfError()
	case err != nil:
		return hint.With(fmt.Errorf("the init was sent and not answered (%w), and whether it was carried out is not known: %w", cause, err),
			"run again when Vault answers: it will go on, or say what was lost")
	case state == Uninitialised:
		return fmt.Errorf("the init was not carried out: %w", cause)
	}
	return fmt.Errorf("%w: %w", lostError(j), cause)
}

// rawText is a JSON string kept in bytes that can be wiped. What it holds needs
// no unescaping: tokens are plain.
type rawText []byte

func (t *rawText) UnmarshalJSON(b []byte) error {
	if len(b) >= 2 && b[0] == '"' {
		*t = slices.Clone(b[1 : len(b)-1])
	}
	return nil
}
