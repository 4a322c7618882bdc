// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
)

// hostNetwork makes what an environment needs of the machine's network: the
// bridge with the ways to pods and services, and the masquerade with which
// nodes reach what lies outside. What is there already is left alone.
func hostNetwork(ctx context.Context, c Config, n network, nodes int) error {
	l := c.layout()
	by, err := routeInto(n.prefix, n.bridge())
	if err != nil {
		return err
	}
	if by != "" {
		return hint.With(fmt.Errorf("the subnet %s of environment %s is by now also that of %s", n, c.Environment, by),
			"take that away, or destroy the environment and name another subnet")
	}
	if _, err := os.Stat(filepath.Join("/sys/class/net", n.bridge())); errors.Is(err, fs.ErrNotExist) {
		if err := run(ctx, "", "ip", "link", "add", n.bridge(), "type", "bridge"); err != nil {
			return err
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "address replace %s/24 dev %s\n", n.gateway(), n.bridge())
	fmt.Fprintf(&b, "link set %s alias %s up\n", n.bridge(), l.alias())
	fmt.Fprintf(&b, "route replace %s via %s\n", n.services(), n.node(1))
	for i := 1; i <= nodes; i++ {
		fmt.Fprintf(&b, "route replace %s via %s\n", n.pods(i), n.node(i))
	}
	if err := run(ctx, b.String(), "ip", "-batch", "-"); err != nil {
		return fmt.Errorf("set up %s: %w", n.bridge(), err)
	}
	// Declared first, so that the table can be deleted whether it is there or not.
	rules := fmt.Sprintf(`table ip %[1]s
delete table ip %[1]s
table ip %[1]s {
	chain postrouting {
		type nat hook postrouting priority srcnat
		ip saddr %[2]s ip daddr != %[2]s masquerade
	}
}
`, l.table(), n)
	return run(ctx, rules, "nft", "-f", "-")
}

// networkStands reports whether the bridge and the link of every living node
// are there.
func networkStands(n network, nodes []int) bool {
	for _, i := range nodes {
		if !exists(filepath.Join("/sys/class/net", n.link(i))) {
			return false
		}
	}
	return exists(filepath.Join("/sys/class/net", n.bridge()))
}

// linkMTU is that of the machine's way out, so that nothing is sent that would
// have to be split there.
func linkMTU() int {
	const ethernet = 1500
	routes, err := readRoutes()
	if err != nil {
		return ethernet
	}
	for _, r := range routes {
		if r.to.Bits() == 0 {
			if link, err := net.InterfaceByName(r.link); err == nil {
				return min(link.MTU, ethernet)
			}
		}
	}
	return ethernet
}

// removeNetwork takes back what hostNetwork and linkNode made. It finds links by
// their alias, so that it needs no reservation.
func removeNetwork(ctx context.Context, l layout) error {
	links, err := ownLinks(l)
	if err != nil {
		return err
	}
	for _, link := range links {
		// The other end may have died with its node since we looked.
		if err := run(ctx, "", "ip", "link", "delete", link); err != nil && exists(filepath.Join("/sys/class/net", link)) {
			return fmt.Errorf("remove link %s: %w", link, err)
		}
	}
	table := fmt.Sprintf("table ip %[1]s\ndelete table ip %[1]s\n", l.table())
	return run(ctx, table, "nft", "-f", "-")
}

// ownLinks are the links of this machine that carry the environment's alias.
func ownLinks(l layout) ([]string, error) {
	entries, err := os.ReadDir("/sys/class/net")
	if err != nil {
		return nil, err
	}
	var links []string
	for _, e := range entries {
		alias, err := os.ReadFile(filepath.Join("/sys/class/net", e.Name(), "ifalias"))
		if err == nil && string(bytes.TrimSpace(alias)) == l.alias() {
			links = append(links, e.Name())
		}
	}
	return links, nil
}
