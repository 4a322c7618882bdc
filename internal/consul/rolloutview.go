// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"clusterup.dev/clusterup/internal/converge"
)

// view is what one look at the servers gives.
type view struct {
	servers []seen // the wanted ones
	status  Status
	err     error // why there is no status; nil where there is one
}

// seen is one server: its pod, what the leader says of it, and, where nobody
// leads, whether it answers by itself.
type seen struct {
	pod    Pod
	member Member
	silent error
}

// view looks at pods and raft. That Consul gives no status is part of what it
// sees, unless no waiting could mend it.
func (c *Cluster) view(ctx context.Context) (view, error) {
	pods, err := c.pods(ctx)
	if err != nil {
		return view{}, err
	}
	v := view{servers: make([]seen, c.cfg.Servers)}
	for i := range v.servers {
		v.servers[i].pod = pods[c.server(i)]
		v.servers[i].pod.Name = c.server(i)
	}
	v.status, v.err = c.Status(ctx)
	switch {
	case v.err == nil:
		for i := range v.servers {
			v.servers[i].member, _ = v.status.member(c.server(i))
		}
		return v, nil
	case errors.Is(v.err, converge.ErrNotYet), ctx.Err() != nil, !unknownToken(v.err) && !mayPass(v.err):
		return view{}, v.err
	}
	s, err := c.session(ctx)
	if err != nil {
		return view{}, err
	}
	for i, err := range s.ask(ctx) {
		v.servers[i].silent = err
	}
	return v, nil
}

// ask says of each server why it does not answer; nil for those that do.
func (s *session) ask(ctx context.Context) []error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	silent := make([]error, len(s.servers))
	var group errgroup.Group
	for i, server := range s.servers {
		group.Go(func() error {
			if _, err := leader(ctx, server); err != nil {
				silent[i] = brief(err)
			}
			return nil
		})
	}
	_ = group.Wait()
	return silent
}

// ill reports whether raft has nothing of a server: it cannot be missed.
func (v view) ill(s seen) bool {
	if v.err != nil {
		return s.silent != nil && !s.pod.Ready
	}
	return !s.member.Healthy || !s.member.votes()
}

// inOrder are the servers that wait for their restart: those that are ill or do
// not vote, the followers, the leader; the highest ordinal first.
func (v view) inOrder() []seen {
	rank := func(s seen) int {
		switch {
		case v.ill(s):
			return 0
		case s.member.Role == "leader":
			return 2
		}
		return 1
	}
	waiting := slices.DeleteFunc(slices.Clone(v.servers), func(s seen) bool { return !s.pod.waits() })
	slices.Reverse(waiting)
	slices.SortStableFunc(waiting, func(a, b seen) int { return cmp.Compare(rank(a), rank(b)) })
	return waiting
}

// why says in a clause what decides when a server is restarted.
func (v view) why(s seen) string {
	switch {
	case v.err != nil && !v.ill(s):
		return "in turn, once there is a leader"
	case len(v.servers) == 1:
		return "the only server: Consul is away meanwhile"
	case v.err != nil:
		return "it does not answer, so it is not missed: " + s.silent.Error()
	case v.ill(s):
		return "ill, so it is not missed: " + s.member.illness()
	case s.member.Role == "leader":
		return "leader: last, after a leadership transfer"
	}
	return "follower"
}

// held says what keeps servers from being restarted that are not ill themselves:
// another one is missed already; "" for nothing.
func (v view) held() string {
	if v.err != nil {
		return v.err.Error()
	}
	var held []string
	for _, s := range v.servers {
		if !s.pod.waits() && v.ill(s) {
			held = append(held, v.cause(s))
		}
	}
	return strings.Join(held, "; ")
}

// cause is what raft and Kubernetes say of a server that is not well.
func (v view) cause(s seen) string {
	text := s.pod.Name
	switch {
	case v.err == nil:
		text = s.member.illness()
	case s.silent != nil:
		text += " does not answer: " + s.silent.Error()
	}
	switch {
	case s.pod.UID == "":
		text += ", it has no pod"
	case s.pod.Deleting:
		text += ", its pod is being deleted"
	case !s.pod.Ready:
		text += ", its pod is not ready"
		if !s.pod.Since.IsZero() {
			text += " since " + s.pod.Since.UTC().Format("15:04:05 MST")
		}
		if s.pod.Reason != "" {
			text += ": " + s.pod.Reason
		}
	}
	return text
}

// lacking is what has to come about before a server that is well is restarted.
// All others vote and are healthy then, so a majority stays.
func (v view) lacking() string {
	var notes []string
	for _, s := range v.servers {
		if s.pod.UID == "" || s.pod.Deleting || !s.pod.Ready || v.ill(s) {
			notes = append(notes, v.cause(s))
		}
	}
	if v.err != nil {
		notes = append(notes, v.err.Error())
	} else if pending := v.status.pending(len(v.servers)); pending != "" {
		notes = append(notes, pending)
	}
	return strings.Join(notes, "; ")
}

// move is what comes next: the restart of a pod, or, before that of the leader's,
// the handing over to heir.
type move struct {
	pod          Pod
	heir         Member
	why          string
	costsNothing bool
}

// blip is how long a server has to be ill before that is taken for a reason to
// restart it: after an election nobody is healthy for a moment.
const blip = 10 * time.Second

// next is the move to make now, or what is waited for. ill is since when servers
// that wait for their restart are.
func (v view) next(ill map[string]time.Time) (move, string) {
	waiting := v.inOrder()
	for _, s := range waiting {
		switch since, is := ill[s.pod.UID]; {
		case is && v.needs(s):
			return move{}, v.cause(s) + "; it still votes, and without it too few would that are well"
		case is && time.Since(since) >= blip:
			return move{pod: s.pod, why: v.why(s), costsNothing: true}, ""
		case is:
			return move{}, v.cause(s)
		}
	}
	if lacking := v.lacking(); lacking != "" || len(waiting) == 0 {
		return move{}, lacking
	}
	first := move{pod: waiting[0].pod, why: v.why(waiting[0])}
	if waiting[0].member.Role == "leader" {
		for _, s := range v.servers {
			if s.pod.Current && s.member.ID != waiting[0].member.ID {
				first.heir = s.member
			}
		}
	}
	return first, ""
}

// needs reports whether a leader would lose its majority with a server that is ill
// and votes all the same.
func (v view) needs(s seen) bool {
	if v.err != nil || !s.member.votes() || s.member.Gossip != "alive" || len(v.servers) == 1 {
		return false
	}
	well := 0
	for _, other := range v.servers {
		if other.member.ID != s.member.ID && !v.ill(other) && other.pod.Ready && !other.pod.Deleting {
			well++
		}
	}
	return well < v.status.Voters/2+1
}

// remember carries over since when servers are ill that wait for their restart.
func (v view) remember(before map[string]time.Time) map[string]time.Time {
	now := make(map[string]time.Time)
	for _, s := range v.inOrder() {
		if !v.ill(s) {
			continue
		}
		now[s.pod.UID] = time.Now()
		if since, was := before[s.pod.UID]; was {
			now[s.pod.UID] = since
		}
	}
	return now
}

// String names what is restarted and why, for whoever debugs a test.
func (m move) String() string { return fmt.Sprintf("%s (%s), heir %q", m.pod.Name, m.why, m.heir.Name) }
