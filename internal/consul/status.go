// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/hashicorp/consul/api"
	"golang.org/x/sync/errgroup"
)

// Status is the state of the quorum as its leader sees it: who votes says raft, who
// is healthy says autopilot, whose own word on votes may be seconds old.
type Status struct {
	Leader           string   `json:"leader"` // name of the server; "" for none
	Voters           int      `json:"voters"`
	Servers          int      `json:"servers"` // members of raft, voting or not
	Wanted           int      `json:"wanted"`
	Healthy          bool     `json:"healthy"`          // every server, says autopilot
	FailureTolerance int      `json:"failureTolerance"` // servers that may fail now
	Members          []Member `json:"members"`          // sorted by name; wanted ones that raft does not know, too

	settling time.Duration // how long a server has to be healthy to be stable
}

// Member is one server.
type Member struct {
	Name        string        `json:"name"`
	ID          string        `json:"id"` // in raft; stays when the address changes
	Address     string        `json:"address"`
	Version     string        `json:"version"`
	Role        string        `json:"role"`   // leader, voter, non-voter, absent
	Gossip      string        `json:"gossip"` // alive, failed, left
	Healthy     bool          `json:"healthy"`
	StableSince time.Time     `json:"stableSince"`      // of Healthy, one way or the other
	LastContact time.Duration `json:"lastContactNanos"` // of a follower with the leader
	LastIndex   uint64        `json:"lastIndex"`        // in its log, as the leader knows
}

// absent is the role of a wanted server that raft does not know.
const absentRole = "absent"

// votes reports whether raft counts it.
func (m Member) votes() bool { return m.Role == "leader" || m.Role == "voter" }

// Whole reports whether every wanted server votes and is healthy and stable.
func (s Status) Whole() bool { return len(s.lacks(s.Wanted)) == 0 }

// member finds a server by its name.
func (s Status) member(name string) (Member, bool) {
	i := slices.IndexFunc(s.Members, func(m Member) bool { return m.Name == name })
	if i < 0 {
		return Member{}, false
	}
	return s.Members[i], true
}

// Status asks the leader. It needs the ACLs to be bootstrapped.
func (c *Cluster) Status(ctx context.Context) (Status, error) {
	s, err := c.session(ctx)
	if err != nil {
		return Status{}, err
	}
	var (
		raft   *api.RaftConfiguration
		state  *api.AutopilotState
		config *api.AutopilotConfiguration
	)
	group, ctx := errgroup.WithContext(ctx)
	ask := func(f func(operator *api.Operator, q *api.QueryOptions) error) {
		group.Go(func() error {
			return s.read(ctx, func(ctx context.Context, server *api.Client) error {
				return f(server.Operator(), (&api.QueryOptions{}).WithContext(ctx))
			})
		})
	}
	ask(func(o *api.Operator, q *api.QueryOptions) (err error) {
		raft, err = o.RaftGetConfiguration(q)
		return err
	})
	ask(func(o *api.Operator, q *api.QueryOptions) (err error) { state, err = o.AutopilotState(q); return err })
	ask(func(o *api.Operator, q *api.QueryOptions) (err error) {
		config, err = o.AutopilotGetConfiguration(q)
		return err
	})
	if err := group.Wait(); err != nil {
		return Status{}, err
	}
	status := statusOf(raft, state)
	if d := config.ServerStabilizationTime; d != nil {
		status.settling = d.Duration()
	}
	status.Wanted = c.cfg.Servers
	for i := range c.cfg.Servers {
		if _, there := status.member(c.server(i)); !there {
			status.Members = append(status.Members, Member{Name: c.server(i), Role: absentRole})
		}
	}
	slices.SortFunc(status.Members, func(a, b Member) int { return cmp.Compare(a.Name, b.Name) })
	return status, nil
}

// statusOf takes members, votes and the leader from raft, and the rest from
// autopilot; a server that autopilot has not looked at yet is not healthy.
func statusOf(raft *api.RaftConfiguration, state *api.AutopilotState) Status {
	status := Status{Servers: len(raft.Servers), Healthy: state.Healthy, FailureTolerance: state.FailureTolerance}
	for _, server := range raft.Servers {
		member := Member{Name: server.Node, ID: server.ID, Address: server.Address, Role: "non-voter"}
		if known, ok := state.Servers[server.ID]; ok {
			member.Name = cmp.Or(known.Name, server.Node) // raft's is unknown while an address changes
			member.Version, member.Gossip = known.Version, known.NodeStatus
			member.Healthy, member.StableSince, member.LastIndex = known.Healthy, known.StableSince, known.LastIndex
			if known.LastContact != nil {
				member.LastContact = known.LastContact.Duration()
			}
		}
		switch {
		case server.Leader:
			member.Role, status.Leader = "leader", member.Name
		case server.Voter:
			member.Role = "voter"
		}
		if member.votes() {
			status.Voters++
		}
		status.Members = append(status.Members, member)
	}
	return status
}
