// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/custody"
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
	plan.Notices = w.found.notices
	return plan, err
}

func (s configureStep) Apply(ctx context.Context, p converge.Plan) error {
	err := s.apply(ctx, p)
	if !isStuck(err) {
		return err
	}
	if err := s.stepDown(ctx); err != nil {
		return err
	}
	left, err := s.Plan(ctx) // the device may turn out to have been stored after all
	if err != nil {
		return err
	}
	for _, c := range left.Changes {
		if !slices.ContainsFunc(p.Changes, func(planned converge.Change) bool { return sameChange(planned, c) }) {
			return fmt.Errorf("the configuration of Vault: %w", converge.ErrStale)
		}
	}
	return s.apply(ctx, left)
}

func (s configureStep) apply(ctx context.Context, p converge.Plan) (err error) {
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
	if err := w.session.correct(ctx, w.items, w.found); err != nil {
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
	now, err := own.compare(ctx, w.items)
	if err != nil {
		return fmt.Errorf("before the root token is revoked: %w", err)
	}
	for _, c := range now.changes {
		if c != nil {
			return fmt.Errorf("before the root token is revoked: %s does not stay as it was written", c.Subject)
		}
	}
	return nil
}
