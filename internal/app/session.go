// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"clusterup.dev/clusterup/internal/consul"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/journal"
	"clusterup.dev/clusterup/internal/kube"
	"clusterup.dev/clusterup/internal/localcluster"
	"clusterup.dev/clusterup/internal/release"
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/store"
	"clusterup.dev/clusterup/internal/terraform"
	"clusterup.dev/clusterup/internal/vault"
)

// Session is an environment with its store open: to look, or, with the run lock
// held, to change it. What exists only later in a run is a function that answers
// converge.ErrNotYet before its time, and is asked once.
type Session struct {
	*App
	mode        mode            // what it was opened for
	outer       context.Context //nolint:containedctx // the run's own, for what comes after the lock is given back
	bucket      store.Bucket
	whole       *store.S3                   // the same; nil while there is no store
	store       localcluster.StoreAccess    // of the local store; zero while there is none, and where it is not local
	lease       *store.Lease                // nil when only looking
	identities  []secret.Identity           // what the runner opens with
	keys        map[string]secret.Recipient // of the operators; empty while there is no identity yet
	vaults      map[string]*vault.Vault     // by add-on
	consul      *consul.Cluster             // nil in an environment without it
	early       bool                        // it is looked at without tokens that are yet to be made
	keeper      *secret.Keeper
	specs       []secret.Spec
	terraform   *terraform.Terraform         // nil when the cluster is an existing one
	terraformAt string                       // its working folder
	hooked      map[string][][]converge.Item // by add-on: the steps of each of its hooks
	beside      map[string][]converge.Item   // by add-on: steps of its hooks that nothing stands on
	reports     map[string][]report          // by add-on: what its hooks look after
	finals      []converge.Step              // of hooks: what they take away at the end
	closers     []func()
	seen        observations
	shown       map[kube.Ref]bool                        // the deletions of the plan that is carried out
	planning    atomic.Pointer[later[release.Inventory]] // while all steps are planned

	journal      *journal.Writer // while something is changed
	unjournalled sync.Once

	tokens   later[*secret.Set]
	library  later[*release.Library]
	doubts   []string                // of the tokens of the release to go back to
	back     *release.Release        // the earlier release to go back to; nil: the environment's own is wanted
	rendered later[*release.Release] // what is wanted, from memory
	sketched later[[]release.Part]   // the same with placeholders, while there are no tokens
	staged   later[*release.Release] // what is wanted, read back from the bucket
	cluster  later[*kube.Cluster]
}

// Look opens a session that only reads. An environment that was never made has
// an empty store.
func (a *App) Look(ctx context.Context) (*Session, error) {
	s := &Session{App: a, mode: looking, outer: ctx}
	return s, s.open(ctx)
}

// Hold opens a session that may change things: it makes the operator's identity
// and the local store if they are missing, and takes the run lock.
func (a *App) Hold(ctx context.Context) (*Session, error) { return a.hold(ctx, changing) }

// HoldToDestroy opens a session that only removes. It asks for nothing that
// removing does not need: no identity, no room on this machine, no store that is
// not there.
func (a *App) HoldToDestroy(ctx context.Context) (*Session, error) { return a.hold(ctx, removing) }

// mode is what a session is opened for.
type mode int

const (
	looking mode = iota
	changing
	removing
)

func (a *App) hold(ctx context.Context, m mode) (*Session, error) {
	s := &Session{App: a, mode: m, outer: ctx}
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	if s.whole == nil {
		return s, nil // nothing to remove but what is on this machine
	}
	lease, err := store.Acquire(ctx, s.whole, store.LockOptions{
		Operation: a.options.Operation, Wait: a.options.LockTimeout,
		Waiting: func(held *store.LockedError) {
			a.say("waiting up to %s for the run lock: %v", a.options.LockTimeout, held)
		},
		Floor: s.lastFence,
	})
	var locked *store.LockedError
	if errors.As(err, &locked) {
		return nil, hint.With(err, "wait for that run (--lock-timeout does), or, if it is gone, run `clusterup unlock %s`", a.Name())
	}
	if err != nil {
		return nil, err
	}
	s.lease = lease
	if err := s.recoverTerraform(lease.Context()); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// lastFence is the number of the lock under which the current release was
// promoted: where lock.json was deleted, the next one is above it.
func (s *Session) lastFence(ctx context.Context) (int64, error) {
	current, err := (&release.Library{Bucket: s.bucket}).Current(ctx)
	return current.Fence, err
}

// Context ends with the one given to Hold, and when the run lock is lost.
func (s *Session) Context() context.Context {
	if s.lease == nil {
		return s.outer
	}
	return s.lease.Context()
}

// Close gives the run lock back. It works after the context has ended too.
func (s *Session) Close() {
	for _, closer := range s.closers {
		closer()
	}
	if s.lease != nil {
		if err := s.lease.Release(context.WithoutCancel(s.outer)); err != nil {
			s.say("the run lock could not be released: %v", err)
		}
	}
}
