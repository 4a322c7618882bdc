// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// traces lists what of an environment can be seen on this machine: processes,
// mounts, cgroups, links, routes, network namespaces, nft tables. It knows them by
// the environment's name, its bridge and its subnet, with none of clusterup's own
// code, so that a mistake there cannot hide itself. What other environments of
// this machine have is not listed, also when their names begin alike.
func traces(t *testing.T, name, state, bridge, subnet string) []string {
	t.Helper()
	found := []string{}
	grep := func(what, text string, ours func(line string) bool) {
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); ours(line) {
				found = append(found, what+": "+line)
			}
		}
	}
	inState := func(line string) bool { return strings.Contains(line, state+"/") }
	inCgroup := func(path string) bool { return strings.Contains(path+"/", "/clusterup/"+name+"/") }
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range processes {
		line, _ := os.ReadFile(p + "/cmdline") // it may have ended
		groups, _ := os.ReadFile(p + "/cgroup")
		command := strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " "))
		if ending(p) {
			continue
		}
		if inState(command) || slices.ContainsFunc(strings.Split(string(groups), "\n"), inCgroup) {
			found = append(found, "process "+filepath.Base(p)+": "+command)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	grep("mount", string(mounts), inState)
	grep("link", output(t, "ip", "-o", "link"), func(line string) bool { return ourLink(line, name, bridge) })
	network := netip.MustParsePrefix(subnet)
	grep("route", output(t, "ip", "route"), func(line string) bool { return leadsInto(line, network) })
	grep("netns", output(t, "ip", "netns", "list"), func(line string) bool {
		number, ours := strings.CutPrefix(strings.Fields(line + " ")[0], name+"-")
		return ours && strings.Trim(number, "0123456789") == ""
	})
	grep("nft", output(t, "nft", "list", "tables"), func(line string) bool {
		return strings.HasSuffix(line, " clusterup_"+strings.ReplaceAll(name, "-", "_"))
	})
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && inCgroup(path) {
			found = append(found, "cgroup: "+path)
		}
		return nil
	})
	return found
}

// ending reports whether a process is past its end: the kernel is taking it down,
// or has, and it only waits to be collected by the machine's init.
func ending(proc string) bool {
	const exiting = 0x4 // PF_EXITING, in the flags, which are field 9
	stat, err := os.ReadFile(proc + "/stat")
	if err != nil {
		return true
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 7 {
		return false
	}
	flags, err := strconv.ParseUint(fields[6], 10, 64)
	return err == nil && flags&exiting != 0
}

// ourLink recognizes the bridge, what is called after it, and what says that it is
// the environment's. A line is "20: NAME@PEER: <...> ... alias TEXT".
func ourLink(line, name, bridge string) bool {
	fields := strings.Fields(line)
	if len(fields) < 2 {
		return false
	}
	link, _, _ := strings.Cut(strings.TrimSuffix(fields[1], ":"), "@")
	return link == bridge || strings.HasPrefix(link, bridge+"-") || strings.HasSuffix(line, "alias clusterup:"+name)
}

// leadsInto reports whether a route has an address of a network in it.
func leadsInto(route string, network netip.Prefix) bool {
	for field := range strings.FieldsSeq(route) {
		address, _, _ := strings.Cut(field, "/")
		if a, err := netip.ParseAddr(address); err == nil && network.Contains(a) {
			return true
		}
	}
	return false
}

// shows fails unless there is a trace of every sort that an environment that
// works cannot do without: otherwise their absence would prove nothing.
func shows(t *testing.T, traces []string) {
	t.Helper()
	for _, sort := range []string{"process ", "link: ", "route: ", "nft: ", "cgroup: "} {
		if !slices.ContainsFunc(traces, func(line string) bool { return strings.HasPrefix(line, sort) }) {
			t.Errorf("no %s of the environment is seen", strings.Trim(sort, ": "))
		}
	}
}

func nothing(t *testing.T, traces []string) {
	t.Helper()
	for _, line := range traces {
		t.Errorf("left behind: %s", line)
	}
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...).Output()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return string(out)
}
