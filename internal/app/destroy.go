// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/kube"
	"clusterup.dev/clusterup/internal/localcluster"
	"clusterup.dev/clusterup/internal/store"
)

// Destroy removes the environment, the last step first, and says what is left.
// Tokens, releases and key shares stay in the bucket unless purge is set.
func (s *Session) Destroy(ctx context.Context, purge bool, observe func(converge.Event)) (string, error) {
	if _, err := (converge.Runner{Observe: observe}).Destroy(ctx, s.steps()); err != nil {
		return "", err
	}
	left := "tokens, releases and key shares stay in the bucket (--purge deletes them)"
	if purge {
		if err := s.whole.DeletePrefix(ctx, store.LockKey); err != nil {
			return "", fmt.Errorf("emptying the bucket: %w", err)
		}
		left = "nothing is left"
	}
	s.Close() // what comes now takes the lock away, or the store with it
	switch {
	case s.local != nil:
		return left, s.leaveMachine(s.outer, purge)
	case purge:
		return left, s.whole.DeletePrefix(s.outer)
	}
	return left, nil
}

// leaveMachine stops the local store, which is the last thing that runs, and
// proves that nothing of the environment is left on this machine.
func (s *Session) leaveMachine(ctx context.Context, purge bool) error {
	end := localcluster.StopStore
	if purge {
		end = localcluster.PurgeStore
	}
	if err := end(ctx, *s.local); err != nil {
		return err
	}
	// Terraform's module has done this already, unless its state was empty.
	if err := localcluster.Remove(ctx, *s.local); err != nil {
		return err
	}
	left, err := localcluster.LeftBehind(ctx, *s.local)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("still on this machine: %s", strings.Join(left, "; "))
	}
	return err
}

// removeObjects deletes what the releases of some add-ons put into the cluster. Nodes on
// this machine go with all that is on them, so there nothing has to be deleted;
// elsewhere this frees what a cloud made for the objects.
func (s *Session) removeObjects(ctx context.Context, of func(addon string) bool) error {
	if s.local != nil {
		return nil
	}
	cluster, err := s.reachable(ctx)
	if errors.Is(err, converge.ErrNotYet) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := s.sameCluster(ctx, cluster); errors.Is(err, store.ErrNotFound) {
		return nil // never bound, so nothing was ever applied
	} else if err != nil {
		return err
	}
	inventory, err := s.inventory(ctx)
	if errors.Is(err, converge.ErrNotYet) {
		return nil // no key, so there never was a release
	}
	if err != nil {
		return err
	}
	refs := []kube.Ref{}
	for _, r := range inventory.Refs {
		if of(r.Addon) {
			refs = append(refs, kubeRef(r))
		}
	}
	return cluster.Delete(ctx, refs, kube.DeleteOptions{})
}
