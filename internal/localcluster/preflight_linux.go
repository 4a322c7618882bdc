// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
	"golang.org/x/sys/unix"
)

// What a local environment takes of the machine, measured with Consul and Vault
// on it and rounded up.
const (
	controlPlaneMemory = 1 << 30
	nodeMemory         = 512 << 20
	environmentDisk    = 3 << 30
)

// Preflight reports the first thing for which this machine could not hold the
// environment, before anything of it is made. Nodes that run already take
// nothing more.
func Preflight(ctx context.Context, c Config) error {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return err
	}
	for _, check := range []func(context.Context, Config) error{
		checkRights, checkCgroups, checkPrograms, checkKernel, checkServers, checkNodes, checkMemory, checkDisk, checkSubnet,
	} {
		if err := check(ctx, c); err != nil {
			if hint.Of(err) == "" {
				err = hint.With(err, existingCluster)
			}
			return err
		}
	}
	return nil
}

func checkRights(context.Context, Config) error {
	if os.Geteuid() != 0 {
		return hint.With(errors.New("a local environment needs root, because it makes namespaces and links"),
			"run it as root; or %s", existingCluster)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for name, bit := range map[string]int{"CAP_SYS_ADMIN": unix.CAP_SYS_ADMIN, "CAP_NET_ADMIN": unix.CAP_NET_ADMIN} {
		if !hasCapability(status, bit) {
			return fmt.Errorf("root lacks %s here, as in a container; a local environment needs it", name)
		}
	}
	return nil
}

func hasCapability(status []byte, bit int) bool {
	for line := range bytes.Lines(status) {
		if text, ok := bytes.CutPrefix(line, []byte("CapEff:")); ok {
			mask, err := strconv.ParseUint(string(bytes.TrimSpace(text)), 16, 64)
			return err == nil && mask&(1<<bit) != 0
		}
	}
	return false
}

// checkCgroups wants what the kubelet wants, on either kind of hierarchy.
func checkCgroups(context.Context, Config) error {
	all, err := hierarchies()
	if err != nil {
		return fmt.Errorf("a local environment needs cgroups: %w", err)
	}
	have := map[string]bool{}
	for _, h := range all {
		if unix.Access(h.dir, unix.W_OK) != nil {
			return fmt.Errorf("the cgroup hierarchy %s can't be written to", h.dir)
		}
		for _, c := range h.controllers() {
			have[c] = true
		}
	}
	for _, want := range []string{"cpu", "cpuset", "memory", "pids"} {
		if !have[want] {
			return fmt.Errorf("the cgroup controller %s is not there", want)
		}
	}
	return nil
}

// programs that nodes and their network need, with the Debian package of each.
func programs() [][2]string {
	return [][2]string{
		{"containerd", "containerd"},
		{"containerd-shim-runc-v2", "containerd"},
		{"ctr", "containerd"},
		{"runc", "runc"},
		{"ip", "iproute2"},
		{"nft", "nftables"},
		{"iptables", "iptables"},
		{"nsenter", "util-linux"},
		{"mount", "mount"},
	}
}

func checkPrograms(context.Context, Config) error { return checkFound(programs()) }

func checkFound(programs [][2]string) error {
	var missing, packages []string
	for _, p := range programs {
		if _, err := find(p[0]); err != nil {
			missing = append(missing, p[0])
			packages = append(packages, p[1])
		}
	}
	if cniPlugins() == "" {
		missing, packages = append(missing, "the CNI plugins"), append(packages, "containernetworking-plugins")
	}
	if len(missing) == 0 {
		return nil
	}
	return hint.With(fmt.Errorf("this machine lacks %s", strings.Join(missing, ", ")),
		"on Debian: apt-get install %s (`make up` does it); or %s", strings.Join(slices.Compact(packages), " "), existingCluster)
}

func checkKernel(ctx context.Context, c Config) error {
	for _, namespace := range []string{"mnt", "pid", "net", "uts", "ipc"} {
		if !exists("/proc/self/ns/" + namespace) {
			return fmt.Errorf("the kernel has no %s namespaces", namespace)
		}
	}
	if !knowsFileSystem("overlay") {
		_ = run(ctx, "", "modprobe", "overlay") // may be built as a module
		if !knowsFileSystem("overlay") {
			return errors.New("the kernel has no overlay file system, which containerd needs")
		}
	}
	var s unix.Statfs_t
	if err := unix.Statfs(nearest(c.StateRoot), &s); err != nil {
		return err
	}
	if s.Type == unix.OVERLAYFS_SUPER_MAGIC {
		return hint.With(fmt.Errorf("%s lies on an overlay file system, where containerd can't unpack images", c.StateRoot),
			"mount a volume there; or %s", existingCluster)
	}
	return nil
}

func knowsFileSystem(name string) bool {
	data, err := os.ReadFile("/proc/filesystems")
	return err == nil && slices.Contains(strings.Fields(string(data)), name)
}

func checkServers(_ context.Context, c Config) error {
	if _, err := readServers(c.Servers); err != nil {
		return err
	}
	_, err := imageArchives(c.Servers)
	return noServers(err)
}

func checkNodes(_ context.Context, c Config) error {
	var was booted
	if err := readJSON(c.layout().booted(), &was); err != nil {
		return err
	}
	if was.Nodes > c.Nodes {
		return tooFewNodes(c, was.Nodes)
	}
	return nil
}
