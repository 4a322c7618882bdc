// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// whole is three servers that are well, all of them of the old revision; the
// server in the middle leads.
func whole() view {
	v := view{status: Status{Leader: "s-1", Voters: 3, Servers: 3, Wanted: 3, Healthy: true, settling: 3 * time.Second}}
	for _, name := range []string{"s-0", "s-1", "s-2"} {
		role := "voter"
		if name == "s-1" {
			role = "leader"
		}
		m := Member{Name: name, ID: "id of " + name, Role: role, Gossip: "alive", Healthy: true, StableSince: time.Now().Add(-time.Hour)}
		v.status.Members = append(v.status.Members, m)
		v.servers = append(v.servers, seen{member: m, pod: Pod{Name: name, UID: "uid of " + name, Ready: true}})
	}
	return v
}

// sicken makes a server ill in the eyes of raft.
func (v *view) sicken(i int) {
	v.servers[i].member.Healthy, v.status.Members[i].Healthy, v.status.Healthy = false, false, false
	v.servers[i].member.Gossip, v.status.Members[i].Gossip = "failed", "failed"
}

// What is restarted next, and when nothing is.
func TestNextMove(t *testing.T) {
	long := time.Now().Add(-time.Minute)
	for name, c := range map[string]struct {
		change  func(v *view)
		ill     map[string]time.Time
		pod     string // "" for none
		heir    string
		pending string // a part of it
	}{
		"the follower with the highest number": {change: func(*view) {}, pod: "s-2"},
		"then the other":                       {change: func(v *view) { v.servers[2].pod.Current = true }, pod: "s-0"},
		"the leader last, after another leads": {
			change: func(v *view) { v.servers[0].pod.Current, v.servers[2].pod.Current = true, true },
			pod:    "s-1", heir: "s-2",
		},
		"nothing waits": {change: func(v *view) {
			for i := range v.servers {
				v.servers[i].pod.Current = true
			}
		}},
		"a restarted one does not vote yet": {
			change: func(v *view) {
				v.servers[2].pod.Current = true
				v.servers[2].member.Role, v.status.Voters = "non-voter", 2
			},
			pending: "s-2 (non-voter, alive",
		},
		"a restarted one is not ready in Kubernetes": {
			change: func(v *view) {
				v.servers[2].pod = Pod{Name: "s-2", UID: "new", Current: true, Reason: "image refused"}
			},
			pending: "its pod is not ready: image refused",
		},
		"a pod is missing": {change: func(v *view) { v.servers[2].pod = Pod{Name: "s-2"} }, pending: "it has no pod"},
		"healthy for a moment only": {
			change: func(v *view) {
				v.servers[2].pod.Current, v.status.Members[2].StableSince = true, time.Now()
			},
			pending: "healthy for less than 3s: s-2",
		},
		"another one is ill": {
			change:  func(v *view) { v.servers[0].pod.Current = true; v.sicken(0) },
			pending: "s-0 (voter, failed",
		},
		"an ill one that waits goes first": {
			change: func(v *view) { v.sicken(0) }, ill: map[string]time.Time{"uid of s-0": long}, pod: "s-0",
		},
		"but not for a blip": {
			change: func(v *view) { v.sicken(0) }, ill: map[string]time.Time{"uid of s-0": time.Now()}, pending: "s-0 (voter, failed",
		},
		"even while another is ill": {
			change: func(v *view) { v.servers[2].pod.Current = true; v.sicken(0); v.sicken(2) },
			ill:    map[string]time.Time{"uid of s-0": long}, pod: "s-0",
		},
		"nobody leads and one is silent": {
			change: func(v *view) {
				v.err = errors.New("no cluster leader")
				v.servers[1].silent, v.servers[1].pod.Ready = errors.New("refused"), false
			},
			ill: map[string]time.Time{"uid of s-1": long}, pod: "s-1",
		},
		"nobody leads and all answer": {
			change:  func(v *view) { v.err = errors.New("no cluster leader") },
			pending: "no cluster leader",
		},
	} {
		v := whole()
		c.change(&v)
		next, pending := v.next(c.ill)
		if next.pod.Name != c.pod || next.heir.Name != c.heir || (pending == "") != (c.pending == "") || !strings.Contains(pending, c.pending) {
			t.Errorf("%s: %v, pending %q", name, next, pending)
		}
	}
}

// One server alone is restarted, and it is said what that means.
func TestASingleServerIsRestarted(t *testing.T) {
	v := whole()
	v.servers, v.status.Members = v.servers[1:2], v.status.Members[1:2]
	v.status.Voters, v.status.Servers, v.status.Wanted = 1, 1, 1
	next, pending := v.next(nil)
	if next.pod.Name != "s-1" || next.heir.ID != "" || pending != "" || next.why != "the only server: Consul is away meanwhile" {
		t.Errorf("%v, pending %q", next, pending)
	}
}

// Servers that share a node are named.
func TestServersOnOneNode(t *testing.T) {
	got := shared(map[string]Pod{"s-0": {Node: "a"}, "s-1": {Node: "b"}, "s-2": {Node: "a"}, "s-3": {}})
	if diff := cmp.Diff([]string{"s-0 and s-2 run on one node, a: its loss is that of 2 votes"}, got); diff != "" {
		t.Error(diff)
	}
}
