// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"
	"golang.org/x/sync/errgroup"
)

type lack struct{ what, note string }

// lacks are what keeps the quorum from being whole: raft's health, in the order
// in which it comes about. What gossip says is told and never counted.
func (s Status) lacks(servers int) []lack {
	var lacks []lack
	if s.Leader == "" {
		lacks = append(lacks, lack{"leader", "no leader"})
	}
	if s.Voters < servers {
		lacks = append(lacks, lack{"voters", fmt.Sprintf("%d of %d voters", s.Voters, servers)})
	}
	var ill, fresh []string
	for _, m := range s.Members {
		switch {
		case !m.Healthy:
			ill = append(ill, m.illness())
		case !m.stable(s.settling):
			fresh = append(fresh, m.Name)
		}
	}
	switch {
	case len(ill) > 0:
		lacks = append(lacks, lack{"health", "not healthy: " + strings.Join(ill, ", ")})
	case !s.Healthy:
		lacks = append(lacks, lack{"health", "autopilot has not called it healthy"})
	case len(fresh) > 0:
		lacks = append(lacks, lack{"health", fmt.Sprintf("healthy for less than %s: %s", s.settling, strings.Join(fresh, ", "))})
	}
	return lacks
}

// illness says what is known of a server that is not healthy, and since when.
func (m Member) illness() string {
	text := fmt.Sprintf("%s (%s", m.Name, m.Role)
	if m.Gossip != "" {
		text += ", " + m.Gossip
	}
	if !m.StableSince.IsZero() {
		text += ", since " + m.StableSince.UTC().Format("15:04:05 MST")
	}
	return text + ")"
}

// stable reports whether a healthy server has been so for long enough. Clocks
// that disagree by more than that tell nothing.
func (m Member) stable(enough time.Duration) bool {
	age := time.Since(m.StableSince)
	return age >= enough || age <= -enough
}

// healthKey is written to see that the quorum takes writes. It holds a time.
const healthKey = "clusterup/health"

// reach is how long a server may take to have a write that the leader has taken.
const reach = 2 * time.Second

// proven says what a write shows to be lacking, "" for nothing. A server that has it
// is where raft looks for it, so only a look after that is sure of its vote: one that
// came back at another address may have been taken out of raft and in again, without
// a vote, in a moment that autopilot did not see.
func (c *Cluster) proven(ctx context.Context) (string, error) {
	s, err := c.session(ctx)
	if err != nil {
		return "", err
	}
	if late, err := s.prove(ctx); err != nil || late != "" {
		return late, err
	}
	status, err := c.Status(ctx)
	if err != nil {
		return "", err
	}
	return status.pending(c.cfg.Servers), nil
}

// prove writes a small key and says which servers do not have it a moment later;
// "" when all do. So the commit index moves, and every server keeps up with it.
func (s *session) prove(ctx context.Context) (string, error) {
	pair := &api.KVPair{Key: healthKey, Value: []byte(time.Now().UTC().Format(time.RFC3339Nano))}
	err := s.write(ctx, func(ctx context.Context, server *api.Client) error {
		_, err := server.KV().Put(pair, (&api.WriteOptions{}).WithContext(ctx))
		return err
	})
	if err != nil {
		return "", err
	}
	var index uint64
	err = s.read(ctx, func(ctx context.Context, server *api.Client) error {
		index, err = modified(ctx, server, &api.QueryOptions{RequireConsistent: true})
		return err
	})
	if err != nil {
		return "", err
	}
	late := make([]string, len(s.servers))
	group, ctx := errgroup.WithContext(ctx)
	for i, server := range s.servers {
		group.Go(func() error {
			late[i] = behind(ctx, server, index)
			return nil
		})
	}
	_ = group.Wait()
	var names []string
	for i, why := range late {
		if why != "" {
			names = append(names, fmt.Sprintf("%s does not have the last write: %s", s.cluster.server(i), why))
		}
	}
	return strings.Join(names, "; "), nil
}

// behind asks the server itself until it has the write with this index, and says
// what it had at the end if that is less.
func behind(ctx context.Context, server *api.Client, index uint64) string {
	ctx, cancel := context.WithTimeout(ctx, reach)
	defer cancel()
	query := &api.QueryOptions{AllowStale: true, WaitTime: reach / 4}
	for {
		has, err := modified(ctx, server, query)
		switch {
		case err != nil:
			return brief(err).Error()
		case has >= index:
			return ""
		case ctx.Err() != nil:
			return fmt.Sprintf("it is at %d of %d", has, index)
		}
		query.WaitIndex = max(has, 1) // the server answers when there is something newer
	}
}

func modified(ctx context.Context, server *api.Client, query *api.QueryOptions) (uint64, error) {
	pair, _, err := server.KV().Get(healthKey, query.WithContext(ctx))
	if err != nil || pair == nil {
		return 0, err
	}
	return pair.ModifyIndex, nil
}
