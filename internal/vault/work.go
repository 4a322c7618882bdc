// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/store"
)

// work is one look at the configuration, with the session that it is done in.
type work struct {
	pod     Pod // the active one
	session session
	root    bool // the session's token is the root token
	escrow  *custody.Escrow
	journal custody.Journal
	items   []item
	found   found
}

// open finds the active replica and opens a session there, with the root token
// while that is alive. It returns nil while none is active.
func (s configureStep) open(ctx context.Context) (*work, error) {
	replicas, err := s.v.look(ctx)
	if err != nil {
		return nil, err
	}
	escrow, journal, err := s.v.records(ctx)
	if err != nil {
		return nil, err
	}
	w := &work{escrow: escrow, journal: journal}
	at, ok := active(replicas)
	if !ok || !w.journal.Safe() || w.journal.State == custody.Intent || w.journal.State == custody.Destroyed {
		return nil, nil
	}
	w.pod = at.pod
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
	if w.found, err = w.session.compare(ctx, w.items); err != nil {
		return nil, err
	}
	for _, c := range w.found.changes {
		if c != nil {
			changes = append(changes, *c)
		}
	}
	if w.journal.State != custody.Revoked {
		changes = append(changes, rootToken)
	}
	return changes, nil
}
