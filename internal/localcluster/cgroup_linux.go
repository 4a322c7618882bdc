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
	"slices"
	"strings"
	"time"

	"clusterup.dev/clusterup/internal/converge"
)

// managed are the controllers that the kubelet wants on the unified hierarchy.
const managed = "+cpuset +cpu +io +memory +pids"

// hierarchy is one mounted cgroup tree.
type hierarchy struct {
	dir     string
	unified bool   // cgroup2, alone or beside the others
	cpuset  bool   // v1: a new group has no processors until it is given some
	options string // v1: names the controllers
}

func hierarchies() ([]hierarchy, error) {
	mounts, err := readMounts("self")
	if err != nil {
		return nil, err
	}
	var all []hierarchy
	for _, m := range mounts {
		switch m.kind {
		case "cgroup2":
			all = append(all, hierarchy{dir: m.at, unified: true})
		case "cgroup":
			all = append(all, hierarchy{dir: m.at, options: m.options, cpuset: slices.Contains(strings.Split(m.options, ","), "cpuset")})
		}
	}
	if len(all) == 0 {
		return nil, errors.New("no cgroup hierarchy is mounted")
	}
	return all, nil
}

// controllers are what the hierarchy can manage.
func (h hierarchy) controllers() []string {
	if !h.unified {
		return strings.Split(h.options, ",")
	}
	data, err := os.ReadFile(filepath.Join(h.dir, "cgroup.controllers"))
	if err != nil {
		return nil
	}
	return strings.Fields(string(data))
}

// makeCgroup makes the group and those above it in every hierarchy, fit for the
// kubelet to make groups below it.
func makeCgroup(all []hierarchy, group string) error {
	for _, h := range all {
		dir := h.dir
		for part := range strings.SplitSeq(strings.Trim(group, "/"), "/") {
			if h.unified {
				enableControllers(dir)
			}
			parent := dir
			dir = filepath.Join(dir, part)
			if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("make cgroup: %w", err)
			}
			if h.cpuset {
				if err := inheritCPUs(parent, dir); err != nil {
					return fmt.Errorf("make cgroup: %w", err)
				}
			}
		}
	}
	return nil
}

// enableControllers hands each controller down by itself: one that this
// machine lacks must not keep the others back.
func enableControllers(dir string) {
	for c := range strings.FieldsSeq(managed) {
		_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte(c), 0)
	}
}

func inheritCPUs(parent, dir string) error {
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		have, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || len(bytes.TrimSpace(have)) > 0 {
			continue // mounted without the prefix, or filled by cgroup.clone_children
		}
		given, err := os.ReadFile(filepath.Join(parent, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), given, 0); err != nil {
			return err
		}
	}
	return nil
}

// joinCgroup moves this process, as the kernel understands 0.
func joinCgroup(all []hierarchy, group string) error {
	for _, h := range all {
		if err := os.WriteFile(filepath.Join(h.dir, group, "cgroup.procs"), []byte("0"), 0); err != nil {
			return fmt.Errorf("enter cgroup: %w", err)
		}
	}
	return nil
}

// removeCgroup removes the group with all below it in every hierarchy. Its
// processes are dead already, but the kernel may still be counting them out.
func removeCgroup(ctx context.Context, all []hierarchy, group string) error {
	for _, h := range all {
		err := converge.Until(ctx, "the end of cgroup "+group, 10*time.Second, func(context.Context) (bool, string, error) {
			dirs, err := cgroupTree(filepath.Join(h.dir, group))
			if err != nil {
				return false, "", err
			}
			for _, dir := range dirs {
				if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return false, "", err
				}
			}
			return true, "", nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// cgroupTree lists a group and all below it, the deepest first: a group can only
// be removed when it has none below it.
func cgroupTree(dir string) ([]string, error) {
	var dirs []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	slices.Reverse(dirs)
	return dirs, err
}
