// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"golang.org/x/sync/errgroup"
)

// Remove ends the nodes of an environment and takes back all that it holds of
// the machine, but not its S3 store, in which Terraform's state lies. What is
// not there is removed already.
func Remove(ctx context.Context, c Config) error {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return err
	}
	l := c.layout()
	if !exists(l.dir()) {
		return removeOutside(ctx, l)
	}
	held, err := lock(ctx, l.dir())
	if err != nil {
		return err
	}
	defer held.Close()
	if err := killNodes(ctx, l); err != nil {
		return err
	}
	if err := removeOutside(ctx, l); err != nil {
		return err
	}
	all, err := lock(ctx, c.StateRoot)
	if err != nil {
		return err
	}
	defer all.Close()
	return removeState(ctx, l)
}

func killNodes(ctx context.Context, l layout) error {
	entries, err := os.ReadDir(l.path("nodes"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, e := range entries {
		group.Go(func() error { return killNode(ctx, nodeDir(l.path("nodes", e.Name()))) })
	}
	return group.Wait()
}

// removeOutside takes back what lies outside the state folder.
func removeOutside(ctx context.Context, l layout) error {
	if err := removeNetwork(ctx, l); err != nil {
		return err
	}
	all, err := hierarchies()
	if err != nil {
		return err
	}
	if err := removeCgroup(ctx, all, l.cgroup()); err != nil {
		return err
	}
	for _, h := range all {
		_ = os.Remove(filepath.Join(h.dir, cgroupHome)) // stays while another environment is in it
	}
	return lowerSettings(ctx, all)
}

// removeState removes the state folder but the store. The reservation goes last:
// a run that was killed before finds it again.
func removeState(ctx context.Context, l layout) error {
	entries, err := os.ReadDir(l.dir())
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := l.path(e.Name())
		if e.Name() == storeDir || path == l.reservation() {
			continue
		}
		// The mounts of a node end with its last process, a moment after it.
		err := converge.Until(ctx, "the end of the mounts in "+path, 20*time.Second, func(context.Context) (bool, string, error) {
			err := os.RemoveAll(path)
			return err == nil, "", err
		})
		if err != nil {
			return err
		}
	}
	if err := os.Remove(l.reservation()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_ = os.Remove(l.dir()) // stays while the store is in it
	_ = os.Remove(l.root)  // stays while another environment is in it
	return nil
}
