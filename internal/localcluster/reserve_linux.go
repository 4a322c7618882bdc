// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"

	"clusterup.dev/clusterup/internal/hint"
)

// Reserve picks a subnet and a bridge for the environment, or gives back those
// that it holds, and puts a copy of this program into the state folder for
// provisioners and nodes, which outlive the checkout. Environments that reserve
// at the same time get different subnets.
func Reserve(ctx context.Context, c Config) (Reservation, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return Reservation{}, err
	}
	if err := os.MkdirAll(c.layout().dir(), 0o700); err != nil {
		return Reservation{}, fmt.Errorf("make the state folder: %w", err)
	}
	held, err := lock(ctx, c.StateRoot)
	if err != nil {
		return Reservation{}, err
	}
	defer held.Close()
	r, n, err := reserve(c)
	if err != nil {
		return Reservation{}, err
	}
	if err := placeBinary(c.layout()); err != nil {
		return Reservation{}, fmt.Errorf("copy clusterup to the state folder: %w", err)
	}
	r.Binary, r.Kubeconfig, r.Endpoint = c.layout().binary(), c.layout().kubeconfig(), n.endpoint()
	return r, nil
}

// Reserved reads what the environment holds and changes nothing; the zero
// Reservation when it holds nothing.
func Reserved(c Config) (Reservation, error) {
	c = c.withDefaults()
	c.Subnet = ""
	r, n, err := reserved(c)
	if err != nil || r.ID == "" {
		return Reservation{}, err
	}
	r.Binary, r.Kubeconfig, r.Endpoint = c.layout().binary(), c.layout().kubeconfig(), n.endpoint()
	return r, nil
}

func reserve(c Config) (Reservation, network, error) {
	r, n, err := reserved(c)
	if err != nil || r.ID != "" {
		return r, n, err
	}
	n, err = pickNetwork(c)
	if err != nil {
		return r, n, err
	}
	r = Reservation{ID: randomHex(4), Subnet: n.String(), Bridge: n.bridge()}
	return r, n, writeJSON(c.layout().reservation(), r, 0o600)
}

// reserved reads what the environment holds; the zero Reservation when that is
// nothing.
func reserved(c Config) (r Reservation, n network, err error) {
	if err := readJSON(c.layout().reservation(), &r); err != nil || r.ID == "" {
		return Reservation{}, network{}, err
	}
	if c.Subnet != "" && c.Subnet != r.Subnet {
		err := fmt.Errorf("environment %s holds the subnet %s, and %s is asked for", c.Environment, r.Subnet, c.Subnet)
		return r, n, hint.With(err, "a subnet can't be changed: name %s, or destroy the environment first", r.Subnet)
	}
	n, err = parseNetwork(r.Subnet)
	return r, n, err
}

func pickNetwork(c Config) (network, error) {
	if c.Subnet != "" {
		n, err := parseNetwork(c.Subnet)
		if err != nil {
			return n, err
		}
		by, err := takenBy(c, n.prefix)
		if err == nil && by != "" {
			err = hint.With(fmt.Errorf("subnet %s is taken by %s", c.Subnet, by), "name another /16, or none to get the first free one")
		}
		return n, err
	}
	for i := firstSubnet; i <= lastSubnet; i++ {
		n := network{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 0, 0}), 16)}
		if by, err := takenBy(c, n.prefix); err != nil || by == "" {
			return n, err
		}
	}
	err := fmt.Errorf("none of the subnets 10.%d.0.0/16 to 10.%d.0.0/16 is free", firstSubnet, lastSubnet)
	return network{}, hint.With(err, "name a free private /16 in the environment file")
}

// takenBy says which other environment or which route of this machine overlaps
// with p; "" when none does.
func takenBy(c Config, p netip.Prefix) (string, error) {
	others, err := otherEnvironments(c)
	if err != nil {
		return "", err
	}
	for _, other := range others {
		r, n, err := reserved(other)
		if err != nil {
			return "", err
		}
		if r.ID != "" && n.prefix.Overlaps(p) {
			return "environment " + other.Environment, nil
		}
	}
	return routeInto(p, "")
}

// routeInto names a route of this machine into p that is not over the link of
// that name; "" when there is none. Default routes don't count, nor do the
// halves that some VPNs make of theirs: a more precise one goes before them.
func routeInto(p netip.Prefix, but string) (string, error) {
	routes, err := readRoutes()
	if err != nil {
		return "", err
	}
	for _, route := range routes {
		if route.to.Bits() >= 8 && route.to.Overlaps(p) && route.link != but {
			return fmt.Sprintf("the route to %s over %s", route.to, route.link), nil
		}
	}
	return "", nil
}

func otherEnvironments(c Config) ([]Config, error) {
	entries, err := os.ReadDir(c.StateRoot)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var others []Config
	for _, e := range entries {
		if e.IsDir() && e.Name() != c.Environment {
			others = append(others, Config{Environment: e.Name(), StateRoot: c.StateRoot})
		}
	}
	return others, nil
}

func placeBinary(l layout) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if self, err = filepath.EvalSymlinks(self); err != nil || self == l.binary() {
		return err
	}
	return place(self, l.binary(), 0o755, false)
}
