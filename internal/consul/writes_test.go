// SPDX-License-Identifier: Apache-2.0

package consul_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/testservers"
)

// measured is a client that writes a key every 20 ms, and somebody who counts
// leaders, through whatever is done to the servers.
type measured struct {
	w      *world
	writer *testservers.Writer
	token  string
	term   uint64

	end     context.CancelFunc
	watched sync.WaitGroup
	leaders []string // one after the other
}

func measure(t *testing.T, w *world) *measured {
	t.Helper()
	secret, _ := w.tokens.Secret("app/consul") // of an application, not of an operator
	m := &measured{w: w, token: secret.RevealString()}
	m.writer = &testservers.Writer{
		Put: func(ctx context.Context, try int, key, value string) error {
			pair := &api.KVPair{Key: "app/" + key, Value: []byte(value)}
			_, err := w.clientOf(t, try%servers, m.token).KV().Put(pair, (&api.WriteOptions{}).WithContext(ctx))
			return err
		},
		Get: func(ctx context.Context, key string) (string, error) {
			pair, _, err := w.clientOf(t, 0, m.management()).KV().Get("app/"+key, (&api.QueryOptions{RequireConsistent: true}).WithContext(ctx))
			if err != nil || pair == nil {
				return "", err
			}
			return string(pair.Value), nil
		},
	}
	status, err := w.cluster(t).Status(t.Context())
	must(t, err)
	m.leaders, m.term = []string{status.Leader}, m.termNow(t)
	ctx, cancel := context.WithCancel(t.Context())
	m.end = cancel
	m.watched.Go(func() { m.watch(ctx, t) })
	m.writer.Start(ctx, fmt.Sprintf("w%d", time.Now().UnixNano()))
	return m
}

func (m *measured) management() string {
	secret, _ := m.w.tokens.Secret("consul/bootstrap")
	return secret.RevealString()
}

// watch notes each leader that a server names, by its id, which stays when the
// address changes.
func (m *measured) watch(ctx context.Context, t *testing.T) {
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
		for i := range servers {
			once, stop := context.WithTimeout(ctx, time.Second)
			raft, err := m.w.clientOf(t, i, m.management()).Operator().RaftGetConfiguration((&api.QueryOptions{}).WithContext(once))
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
func (m *measured) termNow(t *testing.T) (term uint64) {
	t.Helper()
	for i := range servers {
		var self struct{ Stats map[string]map[string]string }
		if _, err := m.w.clientOf(t, i, m.management()).Raw().Query("/v1/agent/self", &self, nil); err == nil {
			n, _ := strconv.ParseUint(self.Stats["raft"]["term"], 10, 64)
			term = max(term, n)
		}
	}
	return term
}

// stop ends the measurement and fails the test if the leader changed more than
// once, or a write was lost or not acknowledged.
func (m *measured) stop(t *testing.T, what string) {
	t.Helper()
	said, err := m.writer.End(context.WithoutCancel(t.Context()))
	must(t, err)
	elections := m.termNow(t) - m.term
	m.end()
	m.watched.Wait()
	t.Logf("%s: %s; leaders %v, %d terms", what, said, m.leaders, elections)
	if len(m.leaders) > 2 {
		t.Errorf("%s: more than one leader change: %v", what, m.leaders)
	}
	if said.Acknowledged == 0 || len(said.Given) > 0 || len(said.Lost) > 0 {
		t.Errorf("%s: %+v", what, said)
	}
}
