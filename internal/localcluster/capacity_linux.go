// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
	"golang.org/x/sys/unix"
)

func checkMemory(_ context.Context, c Config) error {
	need := uint64(0)
	for i := 1; i <= c.Nodes; i++ {
		pid, err := livingNode(c.layout().node(i))
		if err != nil {
			return err
		}
		if pid == 0 {
			need += nodeMemory
		}
		if pid == 0 && i == 1 {
			need += controlPlaneMemory
		}
	}
	have, err := availableMemory()
	if err != nil || have >= need {
		return err
	}
	return hint.With(fmt.Errorf("%d nodes need %s of free memory, and %s are there", c.Nodes, gib(need), gib(have)),
		"free some, or ask for fewer nodes; or %s", existingCluster)
}

func availableMemory() (uint64, error) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if field := strings.Fields(lines.Text()); len(field) > 1 && field[0] == "MemAvailable:" {
			kib, err := strconv.ParseUint(field[1], 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("/proc/meminfo does not say how much memory is available")
}

func checkDisk(_ context.Context, c Config) error {
	if exists(c.layout().booted()) {
		return nil
	}
	var s unix.Statfs_t
	if err := unix.Statfs(nearest(c.StateRoot), &s); err != nil {
		return err
	}
	if have := s.Bavail * uint64(s.Bsize); have < environmentDisk {
		return hint.With(fmt.Errorf("an environment needs %s of free disk in %s, and %s are there", gib(environmentDisk), c.StateRoot, gib(have)),
			"free some; or %s", existingCluster)
	}
	return nil
}

func checkSubnet(_ context.Context, c Config) error {
	r, _, err := reserved(c)
	if err != nil || r.ID != "" {
		return err
	}
	_, err = pickNetwork(c)
	return err
}

// nearest is the folder itself, or the nearest one above it that exists.
func nearest(dir string) string {
	for !exists(dir) && dir != "/" {
		dir = filepath.Dir(dir)
	}
	return dir
}

func gib(bytes uint64) string { return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30)) }
