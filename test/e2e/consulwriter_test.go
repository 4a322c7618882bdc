// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/kube"
	"clusterup.dev/clusterup/internal/testservers"
)

// consulServers are the servers where they are now: pods on this host's routes.
type consulServers struct {
	cluster *kube.Cluster
	token   string

	mu      sync.Mutex
	ips     [3]string
	clients map[string]*api.Client
}

// client is one to server i, kept for as long as the pod has its address: servers
// bound the connections of a host.
func (s *consulServers) client(i int) (*api.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ip := s.ips[i]
	if c, ok := s.clients[ip]; ok {
		return c, nil
	}
	c, err := api.NewClient(&api.Config{
		Scheme: "https", Address: net.JoinHostPort(ip, "8501"), Token: s.token,
		TLSConfig: api.TLSConfig{InsecureSkipVerify: true}, // the CA may be rotated meanwhile
	})
	if err == nil {
		s.clients[ip] = c
	}
	return c, err
}

// locate finds out where the pods are.
func (s *consulServers) locate(ctx context.Context) {
	pods, err := s.cluster.Pods(ctx, "consul", "")
	if err != nil {
		return // the next look may tell
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range pods {
		var i int
		if _, err := fmt.Sscanf(p.Name, "consul-server-%d", &i); err == nil && i < len(s.ips) && p.IP != "" {
			s.ips[i] = p.IP
		}
	}
}

// measured is a client that writes a key every 20 ms, and somebody who counts
// leaders, through whatever is done to the servers.
type measured struct {
	servers *consulServers
	writer  *testservers.Writer
	term    uint64
	end     context.CancelFunc
	watched sync.WaitGroup
	leaders []string
}

func (w *world) measure(t *testing.T, c *kube.Cluster) *measured {
	t.Helper()
	s := &consulServers{cluster: c, token: w.token(t, "consul/bootstrap"), clients: map[string]*api.Client{}}
	s.locate(t.Context())
	at := 0 // the server that answered last: a lost one costs one request its time, and not each
	m := &measured{servers: s, writer: &testservers.Writer{
		Put: func(ctx context.Context, _ int, key, value string) error {
			client, err := s.client(at)
			if err == nil {
				_, err = client.KV().Put(&api.KVPair{Key: key, Value: []byte(value)}, (&api.WriteOptions{}).WithContext(ctx))
			}
			if err != nil {
				at = (at + 1) % 3
			}
			return err
		},
		Get: func(ctx context.Context, key string) (value string, err error) {
			for range 3 {
				var client *api.Client
				var pair *api.KVPair
				if client, err = s.client(at); err == nil {
					once, stop := context.WithTimeout(ctx, 5*time.Second)
					pair, _, err = client.KV().Get(key, (&api.QueryOptions{RequireConsistent: true}).WithContext(once))
					stop()
				}
				if err == nil && pair != nil {
					return string(pair.Value), nil
				}
				at = (at + 1) % 3
			}
			return "", err
		},
	}}
	m.leaders, m.term = []string{w.consulLeader(t, c)}, m.termNow(t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	m.end = cancel
	m.watched.Go(func() { m.watch(ctx) })
	m.writer.Start(ctx, fmt.Sprintf("e2e/%d", time.Now().UnixNano()))
	return m
}

// watch follows the pods' addresses, and notes each leader by its name.
func (m *measured) watch(ctx context.Context) {
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
		m.servers.locate(ctx)
		for i := range 3 {
			once, stop := context.WithTimeout(ctx, time.Second)
			client, err := m.servers.client(i)
			var raft *api.RaftConfiguration
			if err == nil {
				raft, err = client.Operator().RaftGetConfiguration((&api.QueryOptions{}).WithContext(once))
			}
			stop()
			if err != nil {
				continue
			}
			for _, s := range raft.Servers {
				if s.Leader && m.leaders[len(m.leaders)-1] != s.Node {
					m.leaders = append(m.leaders, s.Node)
				}
			}
			break
		}
	}
}

// termNow is raft's: each election has one.
func (m *measured) termNow(ctx context.Context) (term uint64) {
	for i := range 3 {
		var self struct{ Stats map[string]map[string]string }
		once, stop := context.WithTimeout(ctx, 5*time.Second)
		client, err := m.servers.client(i)
		if err == nil {
			_, err = client.Raw().Query("/v1/agent/self", &self, (&api.QueryOptions{}).WithContext(once))
		}
		stop()
		if err == nil {
			n, _ := strconv.ParseUint(self.Stats["raft"]["term"], 10, 64)
			term = max(term, n)
		}
	}
	return term
}

// stop ends the measurement and fails the test if the leader changed more often
// than once for each rollout or loss, or a write was lost or not acknowledged.
func (m *measured) stop(t *testing.T, what string, changes int) {
	t.Helper()
	said, err := m.writer.End(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	terms := m.termNow(t.Context()) - m.term
	m.end()
	m.watched.Wait()
	t.Logf("%s: %s; leaders %v, %d terms", what, said, m.leaders, terms)
	if len(m.leaders)-1 > changes {
		t.Errorf("%s: the leader changed more than %d times: %v", what, changes, m.leaders)
	}
	if said.Acknowledged == 0 || len(said.Given) > 0 || len(said.Lost) > 0 {
		t.Errorf("%s: given up %v, lost %v", what, said.Given, said.Lost)
	}
}
