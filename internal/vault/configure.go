// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/store"
)

// configureStep holds everything on the list of managed items in place. The
// first time it works with the root token and ends by revoking it; ever after it
// logs in as clusterup's own ServiceAccount.
type configureStep struct{ v *Vault }

func (configureStep) Name() string { return "vault/configure" }

// rootToken is the change that ends the first configuration.
var rootToken = converge.Change{Subject: "root token", Action: converge.Delete, Note: "revoke it, prove it, and delete its sealed copy"}

func (s configureStep) Plan(ctx context.Context) (plan converge.Plan, err error) {
	w, err := s.open(ctx)
	if err != nil {
		return plan, err
	}
	if w == nil {
		return converge.Plan{After: "vault/unseal"}, nil
	}
	defer func() { err = errors.Join(err, w.close(ctx)) }()
	plan.Changes, err = w.plan(ctx)
	return plan, err
}

func (s configureStep) Apply(ctx context.Context, p converge.Plan) (err error) {
	w, err := s.open(ctx)
	if err != nil {
		return err
	}
	if w == nil {
		return fmt.Errorf("no replica of Vault is active: %w", converge.ErrStale)
	}
	defer func() { err = errors.Join(err, w.close(ctx)) }()
	now, err := w.plan(ctx)
	if err != nil {
		return err
	}
	if !slices.EqualFunc(now, p.Changes, sameChange) {
		return fmt.Errorf("the configuration of Vault: %w", converge.ErrStale)
	}
	if err := w.session.correct(ctx, w.items, w.changes); err != nil {
		return err
	}
	if w.journal.State == custody.Revoked {
		return nil
	}
	return s.v.endRoot(ctx, w)
}

// Destroy has nothing to remove: the configuration goes with Vault's storage.
func (configureStep) Destroy(context.Context) error { return nil }

func sameChange(a, b converge.Change) bool {
	return a.Subject == b.Subject && a.Action == b.Action && slices.Equal(a.Fields, b.Fields)
}

// work is one look at the configuration, with the session that it is done in.
type work struct {
	session session
	root    bool // the session's token is the root token
	escrow  *custody.Escrow
	journal custody.Journal
	items   []item
	changes []*converge.Change // one an item
}

// open finds the active replica and opens a session there, with the root token
// while that is alive. It returns nil while none is active.
func (s configureStep) open(ctx context.Context) (*work, error) {
	replicas, err := s.v.look(ctx)
	if err != nil {
		return nil, err
	}
	escrow, err := s.v.cfg.Escrow(ctx)
	if err != nil {
		return nil, err
	}
	w := &work{escrow: escrow}
	if w.journal, err = escrow.Read(ctx); err != nil {
		return nil, err
	}
	at, ok := active(replicas)
	if !ok || !w.journal.Safe() || w.journal.State == custody.Intent || w.journal.State == custody.Destroyed {
		return nil, nil
	}
	if w.items, err = s.v.managed(); err != nil {
		return nil, err
	}
	if w.journal.State != custody.Revoked {
		if w.session, w.root, err = rootSession(ctx, at.peer, escrow, w.journal); err != nil || w.root {
			return w, err
		}
	}
	w.session, err = s.v.login(ctx, at.peer)
	return w, err
}

// rootSession opens the first root token's session. ok is false when the token
// is revoked already: a run ended between revoking it and saying so.
func rootSession(ctx context.Context, c *client, escrow *custody.Escrow, j custody.Journal) (s session, ok bool, err error) {
	root, err := escrow.Root(ctx, j)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return s, false, nil
	case err != nil:
		return s, false, err
	}
	s = session{c, root}
	ok, err = s.alive(ctx)
	if err != nil || !ok {
		root.Wipe()
	}
	return s, ok, err
}

// close ends the session; the root token is only wiped, it has its own end.
func (w *work) close(ctx context.Context) error {
	if w.root {
		w.session.token.Wipe()
		return nil
	}
	return w.session.end(ctx)
}

func (w *work) plan(ctx context.Context) (changes []converge.Change, err error) {
	if w.changes, err = w.session.compare(ctx, w.items); err != nil {
		return nil, err
	}
	for _, c := range w.changes {
		if c != nil {
			changes = append(changes, *c)
		}
	}
	if w.journal.State != custody.Revoked {
		changes = append(changes, rootToken)
	}
	return changes, nil
}

// endRoot revokes the root token, once clusterup's own way in has been proven to
// see and hold everything: after that there is no other way in.
func (v *Vault) endRoot(ctx context.Context, w *work) (err error) {
	if w.journal.State == custody.Stored {
		if w.journal, err = w.escrow.Record(ctx, w.journal, custody.Configured); err != nil {
			return err
		}
	}
	if w.root {
		if err := v.proveLogin(ctx, w); err != nil {
			return err
		}
		if err := w.session.revokeRoot(ctx); err != nil {
			return err
		}
	}
	if err := w.escrow.Forget(ctx, w.journal); err != nil {
		return err
	}
	_, err = w.escrow.Record(ctx, w.journal, custody.Revoked)
	return err
}

func (v *Vault) proveLogin(ctx context.Context, w *work) (err error) {
	own, err := v.login(ctx, w.session.client)
	if err != nil {
		return fmt.Errorf("before the root token is revoked: %w", err)
	}
	defer func() { err = errors.Join(err, own.end(ctx)) }()
	changes, err := own.compare(ctx, w.items)
	if err != nil {
		return fmt.Errorf("before the root token is revoked: %w", err)
	}
	for _, c := range changes {
		if c != nil {
			return fmt.Errorf("before the root token is revoked: %s does not stay as it was written", c.Subject)
		}
	}
	return nil
}
