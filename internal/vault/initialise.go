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

const (
	// initDeadline is long because an answer that is not waited for is lost.
	initDeadline = 10 * time.Minute
	// keepPatience is how long a store that fails after the init is tried
	// again: the shares are nowhere else.
	keepPatience = time.Hour
)

// initialise sends init and keeps what it answers. From the moment it is sent
// until the answer is kept, the end of ctx is not heeded, and a second Ctrl-C
// does not end the program.
func (v *Vault) initialise(ctx context.Context, c *client, escrow *custody.Escrow, was custody.Journal) error {
	if err := v.checkPGP(time.Now()); err != nil {
		return err
	}
	holders, shares, threshold := v.firstHolders(escrow)
	journal, err := escrow.Intend(ctx, was, holders, threshold)
	if err != nil {
		return err
	}
	if err := v.allowed(ctx, "the init"); err != nil {
		return err
	}
	heedless := context.WithoutCancel(ctx)
	kept := converge.Uninterruptible(ctx)
	defer kept()
	answer, err := c.sendInit(heedless, shares, threshold)
	if err != nil {
		return c.unanswered(heedless, escrow, journal, err)
	}
	sealed, err := escrow.SealAnswer(journal, holders, answer)
	answer.Wipe()
	if err != nil {
		return fmt.Errorf("%w: %w", lostError(journal), err)
	}
	if err := keep(heedless, escrow, sealed, "Vault's key shares, which are only in memory: do not stop this run"); err != nil {
		return fmt.Errorf("%w: %w", lostError(journal), err)
	}
	kept()
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	journal.Answer = true
	_, err = escrow.Deal(ctx, journal)
	return err
}

// keep stores what init answered, however long the store takes to come back.
func keep(ctx context.Context, escrow *custody.Escrow, sealed *custody.Sealed, what string) error {
	return converge.Until(ctx, "the bucket to take "+what, keepPatience, func(ctx context.Context) (bool, string, error) {
		err := escrow.Keep(ctx, sealed)
		return err == nil, "", err
	})
}

// sendInit sends the one request that cannot be repeated.
func (c *client) sendInit(ctx context.Context, shares, threshold int) (*custody.Answer, error) {
	var out struct {
		Keys     [][]byte `json:"keys_base64"`
		Recovery [][]byte `json:"recovery_keys_base64"`
		Root     rawText  `json:"root_token"`
	}
	body := map[string]int{"secret_shares": shares, "secret_threshold": threshold}
	if c.auto {
		body = map[string]int{"recovery_shares": shares, "recovery_threshold": threshold}
	}
	err := c.do(ctx, request{
		method: http.MethodPut, path: "sys/init", timeout: initDeadline,
		body: body,
	}, &out)
	if err != nil {
		return nil, err
	}
	answer := &custody.Answer{Root: secret.NewValue(out.Root)}
	for _, k := range slices.Concat(out.Keys, out.Recovery) { // the one or the other
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

// unanswered says what an init without an answer left behind. The journal is read
// again: a run that took the lock over goes on under the same name.
func (c *client) unanswered(ctx context.Context, escrow *custody.Escrow, j custody.Journal, cause error) error {
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
	now, err := escrow.Read(ctx)
	if err != nil {
		cause = fmt.Errorf("%w; %w", cause, err)
	}
	switch {
	case err == nil && now.Safe():
		return hint.With(fmt.Errorf("another run initialised Vault meanwhile, and stored its key shares: %w", converge.ErrStale),
			"run again: it goes on from there")
	case isStatus(cause, http.StatusBadRequest): // Vault's own word that this init did nothing
		return othersError(cause)
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
