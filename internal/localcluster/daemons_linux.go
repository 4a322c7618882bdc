// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	containerdSocket = "/run/containerd/containerd.sock"
	kubeletConfig    = "/var/lib/kubelet/config.yaml"
	kubeletIdentity  = "/etc/kubernetes/kubelet.conf"
	// apiPatience is how long a kubelet is kept back for its API server; then
	// it may as well try for itself.
	apiPatience = 2 * time.Minute
)

// nodeDaemons are what a node runs, in the order of start.
func nodeDaemons(s nodeSpec, logs map[string]*os.File) []daemon {
	n, _ := parseNetwork(s.Subnet) // was parsed when the network was built
	return []daemon{
		{
			name: "containerd", log: logs["containerd"],
			args:  []string{"containerd", "--config", "/etc/containerd/config.toml"},
			ready: func(context.Context) error { return nil },
		},
		{
			name: "kubelet", log: logs["kubelet"],
			args: []string{
				"kubelet", "--config=" + kubeletConfig, "--kubeconfig=" + kubeletIdentity,
				fmt.Sprintf("--node-ip=%s", n.node(s.Index)),
			},
			ready: func(ctx context.Context) error { return kubeletReady(ctx, n, s.Index) },
		},
	}
}

// kubeletReady waits for what the kubelet would otherwise end without, or would
// ask for in ever longer pauses: its configuration, its container runtime and,
// but on the node that runs it, the API server.
func kubeletReady(ctx context.Context, n network, index int) error {
	for !exists(kubeletConfig) || !exists(kubeletIdentity) || !listens(ctx, "unix", containerdSocket) {
		if err := pause(ctx, lookAgain); err != nil {
			return err
		}
	}
	address, since := strings.TrimPrefix(n.endpoint(), "https://"), time.Now()
	for index != 1 && !listens(ctx, "tcp", address) && time.Since(since) < apiPatience {
		if err := pause(ctx, lookAgain); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// lookAgain is the pace of what a start of a node waits for: a look costs next
// to nothing and every one that comes late is seen.
const lookAgain = 25 * time.Millisecond

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

func listens(ctx context.Context, network, address string) bool {
	c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, network, address)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// connect sets the node's side of its link and the ways to all pods of other
// nodes: to every node that can be, so that none has to learn of a new one.
func connect(ctx context.Context, s nodeSpec) error {
	n, err := parseNetwork(s.Subnet)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "link set lo up\naddress add %s/24 dev eth0\nlink set eth0 up\n", n.node(s.Index))
	fmt.Fprintf(&b, "route add default via %s\n", n.gateway())
	for i := 1; i <= MaxNodes; i++ {
		if i != s.Index {
			fmt.Fprintf(&b, "route add %s via %s\n", n.pods(i), n.node(i))
		}
	}
	cmd := exec.CommandContext(ctx, "ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(b.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ip: %w%s", err, tail(string(out), 3))
	}
	// Only this node's own network is forwarded.
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0); err != nil {
		return err
	}
	return unix.Access("/sys/class/net/eth0", unix.F_OK)
}
