// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"
)

// Raft's own word on votes counts where autopilot's state is from before a server
// was taken out and in again: all its servers are healthy and have long been.
func TestVotesAreRaftsToSay(t *testing.T) {
	t.Parallel()
	long := time.Now().Add(-time.Hour)
	known := func(name, role string) api.AutopilotServer {
		return api.AutopilotServer{Name: name, Status: api.AutopilotServerStatus(role), NodeStatus: "alive", Healthy: true, StableSince: long}
	}
	state := &api.AutopilotState{Healthy: true, FailureTolerance: 1, Leader: "a", Voters: []string{"a", "b", "c"}, Servers: map[string]api.AutopilotServer{
		"a": known("s-0", "leader"), "b": known("s-1", "voter"), "c": known("s-2", "voter"),
	}}
	raft := func(change func(servers []*api.RaftServer)) *api.RaftConfiguration {
		servers := []*api.RaftServer{
			{ID: "a", Node: "s-0", Address: "10.0.0.1:8300", Leader: true, Voter: true},
			{ID: "b", Node: "s-1", Address: "10.0.0.2:8300", Voter: true},
			{ID: "c", Node: "s-2", Address: "10.0.0.3:8300", Voter: true},
		}
		change(servers)
		return &api.RaftConfiguration{Servers: servers}
	}
	for _, tt := range []struct {
		name    string
		raft    *api.RaftConfiguration
		leader  string
		pending string
	}{
		{"as autopilot says", raft(func([]*api.RaftServer) {}), "s-0", ""},
		{"in again, without a vote", raft(func(s []*api.RaftServer) { s[2].Voter = false }), "s-0", "2 of 3 voters"},
		{"another leads already", raft(func(s []*api.RaftServer) { s[0].Leader, s[1].Leader = false, true }), "s-1", ""},
		{"raft has an old address", raft(func(s []*api.RaftServer) { s[0].Node = "(unknown)" }), "s-0", ""},
		{"not looked at yet", raft(func(s []*api.RaftServer) { s[2].ID, s[2].Voter = "d", false }), "s-0", "2 of 3 voters, not healthy: s-2 (non-voter)"},
		{"no election has ended", raft(func(s []*api.RaftServer) { s[0].Leader = false }), "", "no leader"},
	} {
		status := statusOf(tt.raft, state)
		if diff := cmp.Diff([]string{tt.leader, tt.pending}, []string{status.Leader, status.pending(3)}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
