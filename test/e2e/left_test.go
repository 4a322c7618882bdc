// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// traces lists what of an environment can be seen on this machine: processes,
// mounts, cgroups, links, routes, network namespaces, nft tables. It looks for
// the environment's name, its bridge and its subnet, with none of clusterup's
// own code, so that a mistake there cannot hide itself.
func traces(t *testing.T, state, bridge, subnet string) []string {
	t.Helper()
	found := []string{}
	grep := func(what, text string, words ...string) {
		for line := range strings.Lines(text) {
			for _, word := range words {
				if word != "" && strings.Contains(line, word) {
					found = append(found, what+": "+strings.TrimSpace(line))
					break
				}
			}
		}
	}
	processes, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, p := range processes {
		if line, err := os.ReadFile(p); err == nil {
			grep("process "+filepath.Base(filepath.Dir(p)), strings.ReplaceAll(string(line), "\x00", " "), state+"/")
		}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	grep("mount", string(mounts), state+"/")
	grep("link", output(t, "ip", "-o", "link"), bridge)
	grep("route", output(t, "ip", "route"), strings.TrimSuffix(subnet, "0.0/16"))
	grep("netns", output(t, "ip", "netns", "list"), filepath.Base(state)+"-")
	grep("nft", output(t, "nft", "list", "tables"), "clusterup_"+filepath.Base(state), bridge)
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.Contains(path, "/clusterup/"+filepath.Base(state)) {
			found = append(found, "cgroup: "+path)
		}
		return nil
	})
	return found
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...).Output()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return string(out)
}
