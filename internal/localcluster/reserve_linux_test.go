// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Environments that reserve at the same moment never share a subnet, and each
// keeps its own.
func TestReserveKeepsEnvironmentsApart(t *testing.T) {
	root := t.TempDir()
	var wait sync.WaitGroup
	got := make([]Reservation, 6)
	for i := range got {
		wait.Go(func() {
			var err error
			if got[i], err = Reserve(t.Context(), Config{Environment: fmt.Sprintf("e%d", i), StateRoot: root}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	subnets := map[string]string{}
	for i, r := range got {
		if other := subnets[r.Subnet]; other != "" {
			t.Errorf("e%d and %s share %s", i, other, r.Subnet)
		}
		subnets[r.Subnet] = fmt.Sprintf("e%d", i)
		if len(r.Bridge) > 15 {
			t.Errorf("bridge %q is longer than a link's name can be", r.Bridge)
		}
	}
	again, err := Reserve(t.Context(), Config{Environment: "e0", StateRoot: root})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got[0], again); diff != "" {
		t.Errorf("the second reservation differs:\n%s", diff)
	}
	info, err := os.Stat(again.Binary)
	if err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the copy of the program: %v, %v", info, err)
	}
}

func TestReserveRefusesANamedSubnet(t *testing.T) {
	root := t.TempDir()
	if _, err := Reserve(t.Context(), Config{Environment: "a", StateRoot: root, Subnet: "10.201.0.0/16"}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, environment, subnet, want string }{
		{"of another environment", "b", "10.201.0.0/16", "taken by environment a"},
		{"changed", "a", "10.202.0.0/16", "holds the subnet 10.201.0.0/16"},
		{"too small", "b", "10.201.0.0/24", "is not an IPv4 /16"},
		{"public", "b", "8.8.0.0/16", "is not a private one"},
		{"not aligned", "b", "10.201.3.0/16", "is not an IPv4 /16"},
		{"no subnet", "b", "ten", "subnet \"ten\""},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Reserve(t.Context(), Config{Environment: test.environment, StateRoot: root, Subnet: test.subnet})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func TestParseRoutes(t *testing.T) {
	const table = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
eth0	000200C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
cup10-88	0080580A	0B00580A	0003	0	0	0	0080FFFF	0	0	0
`
	routes, err := parseRoutes(strings.NewReader(table))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range routes {
		got = append(got, r.link+" "+r.to.String())
	}
	want := []string{"eth0 0.0.0.0/0", "eth0 192.0.2.0/24", "cup10-88 10.88.128.0/17"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseMounts(t *testing.T) {
	const table = `34 31 0:30 / /sys/fs/cgroup/cpuset rw,relatime shared:9 - cgroup cgroup rw,cpuset
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
50 27 0:40 / /mnt/with\040space rw - tmpfs tmpfs rw
`
	mounts, err := parseMounts(strings.NewReader(table))
	if err != nil {
		t.Fatal(err)
	}
	want := []mount{
		{"/sys/fs/cgroup/cpuset", "cgroup", "rw,cpuset"},
		{"/sys/fs/cgroup/unified", "cgroup2", "rw"},
		{"/mnt/with space", "tmpfs", "rw"},
	}
	if diff := cmp.Diff(want, mounts, cmp.AllowUnexported(mount{})); diff != "" {
		t.Error(diff)
	}
	if _, err := parseMounts(strings.NewReader("nonsense\n")); err == nil {
		t.Error("nonsense was read as a mount")
	}
}

// A cgroup can only be removed when it has none below it.
func TestCgroupTreeListsTheDeepestFirst(t *testing.T) {
	root := filepath.Join(t.TempDir(), "lab")
	if err := os.MkdirAll(filepath.Join(root, "lab-1", "kubepods", "pod1"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "lab-1", "system"), 0o755); err != nil {
		t.Fatal(err)
	}
	dirs, err := cgroupTree(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(dirs) != 5 {
		t.Fatalf("%d groups: %v", len(dirs), dirs)
	}
	for _, dir := range dirs {
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	}
	if dirs, err := cgroupTree(root); err != nil || len(dirs) > 0 {
		t.Errorf("an absent group: %v, %v", dirs, err)
	}
}

func TestParseListeners(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:4E20 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1 0000000000000000 100 0 0 10 0
   1: 0100007F:4E20 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 12346 1 0000000000000000 100 0 0 10 0
   2: 0100007F:4E21 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12347 1 0000000000000000 100 0 0 10 0
`
	if diff := cmp.Diff([]string{"12345"}, parseListeners(table, 20000)); diff != "" {
		t.Error(diff)
	}
}

func TestNextGenerationIsAlwaysAnother(t *testing.T) {
	for generation, want := range map[string]string{"": "ab-1", "ab-1": "ab-2", "ab-9": "ab-10", "cd-4": "ab-1", "ab-x": "ab-1"} {
		if got := next("ab", generation); got != want || got == generation {
			t.Errorf("after %q comes %q, want %q", generation, got, want)
		}
	}
}

func TestOutsideNameservers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(file, []byte("search x\nnameserver 127.0.0.53\nnameserver 10.0.0.2\n# nameserver 1.1.1.1\nnameserver ::1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := outsideNameservers(file)
	if err != nil || got != "nameserver 10.0.0.2\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestNetworkSplitsItsSubnet(t *testing.T) {
	n, err := parseNetwork("192.168.0.0/16")
	if err != nil {
		t.Fatal(err)
	}
	got := []string{
		n.gateway().String(), n.node(1).String(), n.node(MaxNodes).String(), n.pods(1).String(), n.pods(MaxNodes).String(),
		n.services().String(), n.dns().String(), n.endpoint(), n.link(MaxNodes),
	}
	want := []string{
		"192.168.0.1", "192.168.0.11", "192.168.0.60", "192.168.1.0/24", "192.168.50.0/24",
		"192.168.128.0/17", "192.168.128.10", "https://192.168.0.11:6443", "cup192-168-50",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !n.services().Contains(n.dns()) || n.cluster().Overlaps(n.services()) || !n.cluster().Contains(netip.MustParseAddr("192.168.50.7")) {
		t.Error("pods and services are not apart")
	}
}
