// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/bits"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

type route struct {
	link string
	to   netip.Prefix
}

// readRoutes reads the IPv4 routes of this machine. Every address of a link
// shows there as the route to its subnet.
func readRoutes() ([]route, error) {
	f, err := os.Open("/proc/net/route")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseRoutes(f)
}

// parseRoutes reads lines such as
// "eth0 000200C0 00000000 0001 0 0 0 00FFFFFF 0 0 0"; addresses are in the
// machine's byte order.
func parseRoutes(r io.Reader) ([]route, error) {
	var routes []route
	lines := bufio.NewScanner(r)
	lines.Scan() // the heading
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 8 {
			continue
		}
		to, err := strconv.ParseUint(f[1], 16, 32)
		if err != nil {
			return nil, fmt.Errorf("route %q: %w", lines.Text(), err)
		}
		mask, err := strconv.ParseUint(f[7], 16, 32)
		if err != nil {
			return nil, fmt.Errorf("route %q: %w", lines.Text(), err)
		}
		var b [4]byte
		binary.NativeEndian.PutUint32(b[:], uint32(to))
		routes = append(routes, route{f[0], netip.PrefixFrom(netip.AddrFrom4(b), bits.OnesCount32(uint32(mask)))})
	}
	return routes, lines.Err()
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
