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
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

// Tokens that the consul add-on declares and this package uses.
const (
	owner          = "consul"
	caToken        = owner + "/ca"
	gossipToken    = owner + "/gossip"
	bootstrapToken = owner + "/bootstrap"
	agentsToken    = owner + "/agents" // shown to agents in pods of others, and worth little to them
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
	// Generation is the number of the one that Secret and Public give, from 1, and
	// those of older ones that may still be in use.
	Generation(id string) (number int, older []int)
}

// Config says which servers, and how they are reached.
type Config struct {
	Dialer Dialer
	// Tokens answers an error that wraps converge.ErrNotYet before they are made.
	Tokens func(context.Context) (Tokens, error)
	// Older reads the older generations of a token, newest first. It is only asked
	// when Tokens names some; nil means that nothing was ever rotated.
	Older func(ctx context.Context, id string) ([]secret.Generation, error)
	// Agents are the pods with a client agent; nil: there are none to look after.
	Agents Agents
	// Pods are the servers' pods. Nil means that nobody can restart them: there is
	// no rollout.
	Pods Pods
	// Asks are what add-ons ask for, consul's own among them.
	Asks []Ask
	// Reviewer is what the auth method kubernetes needs; nil: there is none, and
	// nobody can log in. Before Kubernetes has made the token it answers an error
	// that wraps converge.ErrNotYet.
	Reviewer func(context.Context) (Reviewer, error)
	// LoginTTL is how long a token from a login lives; 0: until it is logged out.
	LoginTTL time.Duration

	Token       string        // id of the token that is shown to Consul; default "consul/bootstrap"
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
	if len(want.rules) > 0 && cfg.Reviewer == nil {
		return nil, hint.With(fmt.Errorf("%s wants to log in to Consul, which has no auth method", want.rules[0].account),
			"say `authMethod: kubernetes` in the hook consul.quorum")
	}
	if err := CheckLoginTTL(cfg.LoginTTL); err != nil {
		return nil, err
	}
	cfg.Token = cmp.Or(cfg.Token, bootstrapToken)
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
	GossipStep    = "consul/gossip"
	RolloutStep   = "consul/rollout"
	QuorumStep    = "consul/quorum"
	RevokeStep    = "consul/revoke"
	AgentsStep    = "consul/agents"
	RetireStep    = "consul/retire"
)

// Steps are what the hook consul.quorum does, with their needs among each
// other. Whoever needs Consul needs all of them. The rollout comes before the
// quorum is waited for: a server that is ill may be so because it was not yet
// restarted with what makes it well.
func (c *Cluster) Steps() []converge.Item {
	items := []converge.Item{
		{Step: bootstrapStep{c}},
		{Step: c.aclStep(), After: []string{BootstrapStep}},
	}
	before := []string{BootstrapStep}
	if c.cfg.Pods != nil {
		items = append(items, converge.Item{Step: rolloutStep{c}, After: []string{BootstrapStep, ACLStep}})
		before = append(before, RolloutStep)
	}
	return append(items,
		converge.Item{Step: quorumStep{c}, After: before},
		converge.Item{Step: gossipStep{c}, After: []string{QuorumStep}}, // a server that is away would miss the new key
	)
}

// Lastly are the steps that come after every add-on has what is new: agents take
// up a CA that changed, and what nobody uses any more is taken away.
func (c *Cluster) Lastly() []converge.Step {
	return []converge.Step{agentsStep{c}, c.revokeStep(), retireStep{c}}
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
