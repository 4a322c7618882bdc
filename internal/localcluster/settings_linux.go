// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// settings are what nodes need of the machine's kernel and can't have for
// themselves: forwarding to what lies outside, and enough watches on files for
// the daemons of several nodes, of which one user has 128 by default.
func settings() map[string]int {
	return map[string]int{
		"net/ipv4/ip_forward":           1,
		"fs/inotify/max_user_instances": 8192,
		"fs/inotify/max_user_watches":   524288,
	}
}

// raised remembers what the settings were before. It is gone after a restart of
// the machine, as they are.
type raised struct {
	Was map[string]int `json:"was"`
}

const (
	raisedHome = "/run" // its lock keeps environments apart that change settings at once
	raisedFile = "/run/clusterup.json"
)

// raiseSettings raises the settings that are too low. The environment's cgroup
// has to be there already: it is what holds the settings up.
func raiseSettings(ctx context.Context) error {
	held, err := lock(ctx, raisedHome)
	if err != nil {
		return err
	}
	defer held.Close()
	r := raised{Was: map[string]int{}}
	if err := readJSON(raisedFile, &r); err != nil {
		return err
	}
	for name, want := range settings() {
		have, err := readSetting(name)
		if err != nil {
			return err
		}
		if have >= want {
			continue
		}
		r.Was[name] = have
		if err := writeJSON(raisedFile, r, 0o644); err != nil {
			return err
		}
		if err := writeSetting(name, want); err != nil {
			return fmt.Errorf("raise the kernel setting %s from %d to %d: %w", name, have, want, err)
		}
	}
	return nil
}

// lowerSettings puts the settings back when no environment of this machine is
// left, but not one that somebody else has changed since.
func lowerSettings(ctx context.Context, all []hierarchy) error {
	held, err := lock(ctx, raisedHome)
	if err != nil {
		return err
	}
	defer held.Close()
	for _, h := range all {
		others, err := filepath.Glob(filepath.Join(h.dir, cgroupHome, "*", "cgroup.procs"))
		if err != nil || len(others) > 0 {
			return err
		}
	}
	var r raised
	if err := readJSON(raisedFile, &r); err != nil {
		return err
	}
	for name, was := range r.Was {
		have, err := readSetting(name)
		if err != nil {
			return err
		}
		if have == settings()[name] {
			if err := writeSetting(name, was); err != nil {
				return err
			}
		}
	}
	if err := os.Remove(raisedFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func readSetting(name string) (int, error) {
	data, err := os.ReadFile(filepath.Join("/proc/sys", name))
	if err != nil {
		return 0, err
	}
	value, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return 0, fmt.Errorf("setting %s: %w", name, err)
	}
	return value, nil
}

func writeSetting(name string, value int) error {
	return os.WriteFile(filepath.Join("/proc/sys", name), []byte(strconv.Itoa(value)), 0)
}
