// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
	held, err := lock(ctx, l.dir(), lockPatience)
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
	all, err := lock(ctx, c.StateRoot, lockPatience)
	if err != nil {
		return err
	}
	defer all.Close()
	if err := switchForwardBack(c); err != nil {
		return err
	}
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
		_ = os.Remove(filepath.Join(h.dir, filepath.Dir(l.cgroup()))) // stays while another environment is in it
	}
	return nil
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

// LeftBehind lists what there still is of an environment on this machine, its
// S3 store left out: processes, mounts, cgroups, links, routes, nft tables and
// files. After Remove it is empty.
func LeftBehind(ctx context.Context, c Config) ([]string, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	l := c.layout()
	var left []string
	for _, look := range []func(layout) ([]string, error){leftProcesses, leftMounts, leftCgroups, leftLinks, leftFiles} {
		found, err := look(l)
		if err != nil {
			return nil, err
		}
		left = append(left, found...)
	}
	tables, err := output(ctx, "", "nft", "list", "tables")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(tables) {
		if strings.TrimSpace(line) == "table ip "+l.table() {
			left = append(left, "nft table "+l.table())
		}
	}
	return left, nil
}

// leftProcesses finds the processes by their cgroup and by the files that they
// were started from.
func leftProcesses(l layout) ([]string, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var left []string
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		groups, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cgroup")) // it may have ended
		program, _ := os.Readlink(filepath.Join("/proc", e.Name(), "exe"))
		if bytes.Contains(groups, []byte(":"+l.cgroup()+"/")) || strings.HasPrefix(program, l.bin()+"/") {
			left = append(left, fmt.Sprintf("process %s (%s)", e.Name(), program))
		}
	}
	return left, nil
}

func leftMounts(l layout) ([]string, error) {
	var left []string
	for _, process := range []string{"self", "1"} {
		mounts, err := readMounts(process)
		if err != nil {
			return nil, err
		}
		for _, m := range mounts {
			if strings.HasPrefix(m.at, l.dir()+"/") {
				left = append(left, "mount "+m.at)
			}
		}
	}
	return left, nil
}

func leftCgroups(l layout) ([]string, error) {
	all, err := hierarchies()
	if err != nil {
		return nil, err
	}
	var left []string
	for _, h := range all {
		if dir := filepath.Join(h.dir, l.cgroup()); exists(dir) {
			left = append(left, "cgroup "+dir)
		}
	}
	return left, nil
}

// leftLinks also names the routes over each link; there are none without one.
func leftLinks(l layout) ([]string, error) {
	links, err := ownLinks(l)
	if err != nil {
		return nil, err
	}
	routes, err := readRoutes()
	if err != nil {
		return nil, err
	}
	var left []string
	for _, link := range links {
		left = append(left, "link "+link)
		for _, r := range routes {
			if r.link == link {
				left = append(left, fmt.Sprintf("route to %s over %s", r.to, link))
			}
		}
	}
	return left, nil
}

func leftFiles(l layout) ([]string, error) {
	entries, err := os.ReadDir(l.dir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var left []string
	for _, e := range entries {
		if e.Name() != storeDir {
			left = append(left, "file "+l.path(e.Name()))
		}
	}
	return left, nil
}
