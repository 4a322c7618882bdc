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
)

// LeftBehind lists what there still is of an environment on this machine, the
// data of its S3 store left out: processes, mounts, cgroups, links, routes, nft
// tables and files. After Remove and StopStore it is empty.
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
// were started from. One that is dead and only waits to be counted by its parent
// is none.
func leftProcesses(l layout) ([]string, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var left []string
	running, err := serverRuns(l.files())
	if err != nil {
		return nil, err
	}
	if running {
		left = append(left, "process of the S3 server")
	}
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		groups, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cgroup")) // it may have ended
		program, err := os.Readlink(filepath.Join("/proc", e.Name(), "exe"))
		if err != nil {
			continue // a dead one, or one of the kernel's
		}
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
