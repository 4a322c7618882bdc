// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/kube"
	"clusterup.dev/clusterup/internal/localcluster"
	"clusterup.dev/clusterup/internal/release"
	"clusterup.dev/clusterup/internal/store"
)

// Destroy removes the environment, the last step first, and says what is left.
// Tokens, releases and key shares stay in the bucket unless purge is set.
func (s *Session) Destroy(ctx context.Context, purge bool, observe func(converge.Event)) (string, error) {
	end := s.begin(ctx, "", nil)
	results, err := converge.Runner{Observe: observe}.Destroy(ctx, s.steps())
	if err != nil || !purge { // a purge takes the journal along
		end(ctx, results, err)
	}
	if err != nil {
		return "", err
	}
	if err := s.forgetObserved(ctx); err != nil {
		return "", fmt.Errorf("forgetting what was seen of the cluster: %w", err)
	}
	left := "tokens, releases and key shares stay in the bucket (--purge deletes them)"
	switch {
	case s.whole == nil:
		left = "nothing is left"
	case purge:
		if err := s.whole.DeletePrefix(ctx, func(key string) bool { return !own(key) }); err != nil {
			return "", fmt.Errorf("emptying the bucket: %w", err)
		}
		left = "nothing is left"
	}
	if s.local != nil {
		return left, s.leaveMachine(ctx, purge)
	}
	s.Close()
	if purge { // the lock goes last, and only if nobody has taken it again
		if was, err := store.Inspect(s.outer, s.whole); err == nil && !was.Held {
			return left, s.bucket.Delete(s.outer, store.LockKey)
		}
	}
	return left, nil
}

// own reports whether a key below the store's prefix is one that clusterup
// writes. Others may keep things there too, another environment among them.
func own(key string) bool {
	family, rest, inFolder := strings.Cut(key, "/")
	if !inFolder {
		return slices.Contains([]string{bindingKey, "current.json"}, key)
	}
	folders := []string{"terraform", "tokens", "objects", "releases", "attempts", "runs", "vault", "keys", "observed", "backups"}
	return rest != "" && slices.Contains(folders, family)
}

// leaveMachine takes back what the environment holds of this machine while the
// run lock is still held, stops the local store, in which the lock is, and proves
// that nothing is left.
func (s *Session) leaveMachine(ctx context.Context, purge bool) error {
	// Terraform's module has done this already, unless its state was empty.
	if err := localcluster.Remove(ctx, *s.local); err != nil {
		return err
	}
	s.Close()
	ctx = s.outer // the lease has ended
	end := localcluster.StopStore
	if purge {
		end = localcluster.PurgeStore
	}
	if err := end(ctx, *s.local); err != nil {
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
	if err != nil {
		return err
	}
	theirs := slices.DeleteFunc(slices.Clone(inventory.Refs), func(r release.Ref) bool { return !of(r.Addon) })
	refs, stays, err := s.alive(ctx, cluster, theirs)
	if err != nil {
		return err
	}
	for _, line := range stays {
		s.say("%s", line)
	}
	refs = slices.DeleteFunc(refs, func(r kube.Ref) bool { return r.Name == "" })
	return cluster.Delete(ctx, refs, kube.DeleteOptions{})
}
