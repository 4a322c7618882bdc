// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/journal"
	"clusterup.dev/clusterup/internal/kube"
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
	lease       *store.Lease                // nil when only looking
	identities  []secret.Identity           // what the runner opens with
	keys        map[string]secret.Recipient // of the operators; empty while there is no identity yet
	vaults      map[string]*vault.Vault     // by add-on
	keeper      *secret.Keeper
	specs       []secret.Spec
	terraform   *terraform.Terraform         // nil when the cluster is an existing one
	terraformAt string                       // its working folder
	hooked      map[string][][]converge.Item // by add-on: the steps of each of its hooks
	reports     map[string][]report          // by add-on: what its hooks look after
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

// Plan plans every step side by side; only narrows it to one step, or to the
// steps of one add-on, and what they stand on.
func (s *Session) Plan(ctx context.Context, only string) ([]converge.Planned, error) {
	items := s.steps()
	if only != "" {
		if items = narrow(items, only); len(items) == 0 {
			return nil, hint.With(fmt.Errorf("there is no step %q", only), "the steps are %s", strings.Join(s.StepNames(), ", "))
		}
	}
	if err := s.answers(ctx); err != nil {
		return nil, err
	}
	inventory := memo(s.inventoryNow)
	s.planning.Store(&inventory)
	defer s.planning.Store(nil)
	return converge.PlanAll(ctx, items)
}

// answers refuses, once and not for every step, an existing cluster that cannot be
// reached or that is not the one to which the environment is bound. What
// Terraform makes may not be there yet.
func (s *Session) answers(ctx context.Context) error {
	if s.env.Spec.Cluster.Terraform != nil {
		return nil
	}
	cluster, err := s.cluster(ctx)
	if err != nil {
		return err
	}
	if _, err = s.sameCluster(ctx, cluster); errors.Is(err, store.ErrNotFound) {
		return nil // not bound yet
	}
	return err
}

// Apply carries the plans out and tells observe what happens, and the journal
// how it began and ended.
func (s *Session) Apply(ctx context.Context, planned []converge.Planned, observe func(converge.Event)) ([]converge.Result, error) {
	if err := s.Allowed(planned); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(planned, converge.Planned.Pending) {
		return converge.Runner{Observe: observe}.Apply(ctx, planned)
	}
	s.sayWhatStays(planned)
	digest := ""
	if want, err := s.rendered(ctx); err == nil {
		digest = want.Digest
	}
	end := s.begin(ctx, digest, planned)
	results, err := converge.Runner{Observe: observe}.Apply(ctx, planned)
	end(ctx, results, err)
	return results, err
}

// StepNames lists the steps in order.
func (s *Session) StepNames() []string {
	all := []string{}
	for _, item := range s.steps() {
		all = append(all, item.Step.Name())
	}
	return all
}

// narrow keeps the named step, or those of the named add-on, and all that they
// stand on: what guards a step, such as the binding, is never left out.
func narrow(items []converge.Item, only string) []converge.Item {
	wanted := map[string]bool{}
	kept := []converge.Item{}
	for _, item := range slices.Backward(items) { // needs stand before those that need them
		name := item.Step.Name()
		if !wanted[name] && name != only && !strings.HasPrefix(name, only+"/") {
			continue
		}
		for _, need := range item.After {
			wanted[need] = true
		}
		kept = append(kept, item)
	}
	slices.Reverse(kept)
	return kept
}

// Unlock takes the run lock away from whoever holds it and says who that was.
func (s *Session) Unlock(ctx context.Context) (string, error) {
	if s.whole == nil {
		return s.Name() + " has no store yet, so nobody holds its lock", nil
	}
	was, err := store.Break(ctx, s.whole)
	switch {
	case err != nil:
		return "", err
	case !was.Held:
		return "nobody held the lock of " + s.Name(), nil
	}
	return fmt.Sprintf("took the lock of %s from %s (%s, since %s)", s.Name(), was.Owner, was.Operation, was.Since.Format("2006-01-02 15:04:05 MST")), nil
}

// Render gives the manifests of all add-ons, or of one, with placeholders in the
// place of secrets. It needs neither a store nor a cluster.
func (a *App) Render(only string) ([]byte, error) {
	sets, err := a.rendersOf(only)
	if err != nil {
		return nil, err
	}
	return addon.WriteYAML(slices.Concat(sets...))
}

// RenderList is the same as a List, for programs.
func (a *App) RenderList(only string) (map[string]any, error) {
	sets, err := a.rendersOf(only)
	items := []any{}
	for _, o := range slices.Concat(sets...) {
		items = append(items, addon.Readable(o.Unstructured).Object)
	}
	return map[string]any{"apiVersion": "v1", "kind": "List", "items": items}, err
}

// rendersOf renders every add-on with placeholders, and keeps what the named one
// gives, or all.
func (a *App) rendersOf(only string) ([][]addon.Object, error) {
	if only != "" && !slices.Contains(a.addonNames(), only) {
		return nil, hint.With(fmt.Errorf("%s has no add-on %q", a.Name(), only), "%s", a.unlisted(only))
	}
	sets, err := a.render(secret.Placeholders(a.allSpecs()))
	if err != nil {
		return nil, err
	}
	for i, c := range a.addons {
		if only != "" && only != c.Name {
			sets[i] = nil
		}
	}
	return sets, nil
}
