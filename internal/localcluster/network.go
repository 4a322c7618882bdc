// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"fmt"
	"net/netip"
	"strings"
)

// network splits an environment's /16, x.y.0.0: nodes in x.y.0.0/24 (the bridge
// is .1, node n is .10+n), pods of node n in x.y.n.0/24, services in the upper
// half.
type network struct{ prefix netip.Prefix }

// The subnets that are tried when an environment names none.
const (
	firstSubnet = 88
	lastSubnet  = 127
)

func parseNetwork(subnet string) (network, error) {
	p, err := netip.ParsePrefix(subnet)
	switch {
	case err != nil:
		return network{}, fmt.Errorf("subnet %q: %w", subnet, err)
	case !p.Addr().Is4() || p.Bits() != 16 || p != p.Masked():
		return network{}, fmt.Errorf("subnet %q is not an IPv4 /16 such as 10.88.0.0/16", subnet)
	case !p.Addr().IsPrivate():
		return network{}, fmt.Errorf("subnet %q is not a private one (10/8, 172.16/12, 192.168/16)", subnet)
	}
	return network{p}, nil
}

func (n network) at(third, fourth byte) netip.Addr {
	b := n.prefix.Addr().As4()
	return netip.AddrFrom4([4]byte{b[0], b[1], third, fourth})
}

func (n network) String() string          { return n.prefix.String() }
func (n network) gateway() netip.Addr     { return n.at(0, 1) }
func (n network) node(i int) netip.Addr   { return n.at(0, byte(10+i)) }
func (n network) pods(i int) netip.Prefix { return netip.PrefixFrom(n.at(byte(i), 0), 24) }

// cluster is what holds all nodes and pods; services is outside of it.
func (n network) cluster() netip.Prefix  { return netip.PrefixFrom(n.at(0, 0), 17) }
func (n network) services() netip.Prefix { return netip.PrefixFrom(n.at(128, 0), 17) }
func (n network) dns() netip.Addr        { return n.at(128, 10) }

func (n network) endpoint() string { return fmt.Sprintf("https://%s:6443", n.node(1)) }

// bridge is unique because the subnet is, and short enough for a link's name
// together with a node's number.
func (n network) bridge() string {
	b := n.prefix.Addr().As4()
	return fmt.Sprintf("cup%d-%d", b[0], b[1])
}

func (n network) link(node int) string { return fmt.Sprintf("%s-%d", n.bridge(), node) }

// table is the nft table of an environment; its names have no dashes.
func (l layout) table() string { return "clusterup_" + strings.ReplaceAll(l.environment, "-", "_") }
