// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"
)

// Status is the state of the quorum as its leader sees it.
type Status struct {
	Leader           string   `json:"leader"` // name of the server; "" for none
	Voters           int      `json:"voters"`
	Servers          int      `json:"servers"` // members of raft, voting or not
	Wanted           int      `json:"wanted"`
	Healthy          bool     `json:"healthy"`          // every server, says autopilot
	FailureTolerance int      `json:"failureTolerance"` // servers that may fail now
	Members          []Member `json:"members"`          // sorted by name
}

// Member is one server.
type Member struct {
	Name        string    `json:"name"`
	Address     string    `json:"address"`
	Version     string    `json:"version"`
	Role        string    `json:"role"`   // leader, voter, non-voter
	Gossip      string    `json:"gossip"` // alive, failed, left
	Healthy     bool      `json:"healthy"`
	StableSince time.Time `json:"stableSince"`
}

// Whole reports whether every wanted server votes and is healthy.
func (s Status) Whole() bool { return len(s.lacks(s.Wanted)) == 0 }

// Status asks the leader's autopilot. It needs the ACLs to be bootstrapped.
func (c *Cluster) Status(ctx context.Context) (Status, error) {
	s, err := c.session(ctx)
	if err != nil {
		return Status{}, err
	}
	var state *api.AutopilotState
	err = s.read(ctx, func(ctx context.Context, server *api.Client) (err error) {
		state, err = server.Operator().AutopilotState((&api.QueryOptions{}).WithContext(ctx))
		return err
	})
	if err != nil {
		return Status{}, err
	}
	status := Status{
		Voters:           len(state.Voters),
		Servers:          len(state.Servers),
		Wanted:           c.cfg.Servers,
		Healthy:          state.Healthy,
		FailureTolerance: state.FailureTolerance,
		Leader:           state.Servers[state.Leader].Name,
	}
	for _, server := range state.Servers {
		status.Members = append(status.Members, Member{
			Name:        server.Name,
			Address:     server.Address,
			Version:     server.Version,
			Role:        string(server.Status),
			Gossip:      server.NodeStatus,
			Healthy:     server.Healthy,
			StableSince: server.StableSince,
		})
	}
	slices.SortFunc(status.Members, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	return status, nil
}
