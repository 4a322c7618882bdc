// SPDX-License-Identifier: Apache-2.0

// Package consul brings the servers that the consul add-on has started to a
// healthy quorum: bootstrapped with a token chosen beforehand, holding the
// policies and tokens that add-ons ask for, every server a voter. It speaks to
// Consul's API and knows nothing of Kubernetes but the names of pods.
package consul

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/secret"
)

// Tokens that the consul add-on declares and this package uses.
const (
	caToken        = "consul/ca"
	bootstrapToken = "consul/bootstrap"
)

// Dialer opens connections to a port of a pod. Before there is a cluster it
// answers an error that wraps converge.ErrNotYet.
type Dialer interface {
	Dial(ctx context.Context, namespace, pod string, port int) (net.Conn, error)
}

// Tokens gives what was made once for the environment, by id ("consul/ca").
type Tokens interface {
	Secret(id string) (secret.Value, bool)
	Public(id string) (string, bool)
}

// Config says which servers, and how they are reached.
type Config struct {
	Dialer Dialer
	// Tokens answers an error that wraps converge.ErrNotYet before they are made.
	Tokens func(context.Context) (Tokens, error)
	// Asks are the policies and tokens that add-ons ask for, consul's own among them.
	Asks []Ask

	Namespace   string        // default "consul"
	StatefulSet string        // default "consul-server"; its pods are the servers
	Servers     int           // default 3
	Datacenter  string        // default "dc1"
	Port        int           // of the HTTPS API; default 8501
	Timeout     time.Duration // of each wait; default five minutes
}

// Cluster is the Consul of one environment. It keeps its connections between
// calls, and may be used by many goroutines.
type Cluster struct {
	cfg  Config
	want desired

	mu      sync.Mutex
	current *session
}

// New checks cfg and contacts nobody.
func New(cfg Config) (*Cluster, error) {
	want, err := combine(cfg.Asks)
	if err != nil {
		return nil, err
	}
	if cfg.Servers < 0 {
		return nil, fmt.Errorf("consul: %d servers", cfg.Servers)
	}
	cfg.Namespace = cmp.Or(cfg.Namespace, "consul")
	cfg.StatefulSet = cmp.Or(cfg.StatefulSet, "consul-server")
	cfg.Servers = cmp.Or(cfg.Servers, 3)
	cfg.Datacenter = cmp.Or(cfg.Datacenter, "dc1")
	cfg.Port = cmp.Or(cfg.Port, 8501)
	cfg.Timeout = cmp.Or(cfg.Timeout, 5*time.Minute)
	return &Cluster{cfg: cfg, want: want}, nil
}

// Names of the steps.
const (
	BootstrapStep = "consul/bootstrap"
	ACLStep       = "consul/acl"
	QuorumStep    = "consul/quorum"
)

// Steps are what the hook consul.quorum does, with their needs among each
// other. Whoever needs Consul needs all of them.
func (c *Cluster) Steps() []converge.Item {
	return []converge.Item{
		{Step: bootstrapStep{c}},
		{Step: aclStep{c}, After: []string{BootstrapStep}},
		{Step: quorumStep{c}, After: []string{BootstrapStep}},
	}
}

// Close gives the connections back. The Cluster can still be used.
func (c *Cluster) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil {
		c.current.close()
		c.current = nil
	}
}

func (c *Cluster) server(i int) string { return fmt.Sprintf("%s-%d", c.cfg.StatefulSet, i) }
