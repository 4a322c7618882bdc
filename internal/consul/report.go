// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"
	"golang.org/x/sync/errgroup"

	"clusterup.dev/clusterup/internal/converge"
)

// serverToken is the certificate of the servers.
const serverToken = "consul/server"

// Report is all that an operator looks at: what the leader says, what each server
// says of itself, and the pods.
type Report struct {
	Status
	Cause       string    `json:"cause,omitempty"` // why the leader says nothing
	CommitIndex uint64    `json:"commitIndex"`     // the highest that a server knows
	Certificate time.Time `json:"certificateEnds"` // of the servers, as it was last made
	Keyring     Keyring   `json:"keyring"`
	Reports     []Server  `json:"reports"` // one for each wanted server, by ordinal
	Notices     []string  `json:"notices,omitempty"`
}

// Keyring says how many gossip keys there are. One that is not on every member
// is left of a rotation that has not ended.
type Keyring struct {
	Keys    int    `json:"keys"`
	Partial int    `json:"partial"` // of them, not on every member
	Error   string `json:"error,omitempty"`
}

// Server is one wanted server.
type Server struct {
	Member
	Node        string    `json:"node"`     // of Kubernetes
	Revision    string    `json:"revision"` // current, waits for rollout, ends, no pod, unknown
	CommitIndex uint64    `json:"commitIndex"`
	LogIndex    uint64    `json:"logIndex"`         // the last in its own log
	Error       string    `json:"error,omitempty"`  // why it does not answer
	Reason      string    `json:"reason,omitempty"` // why its pod is not ready
	Since       time.Time `json:"since"`            // that it is not well: Kubernetes' word, else raft's, which counts from when the leader first knew it; zero when it is
}

// Well reports whether nothing is to be done and nothing waits.
func (r Report) Well() bool {
	for _, s := range r.Reports {
		if s.Error != "" || s.Revision != "current" && s.Revision != "unknown" {
			return false
		}
	}
	return r.Cause == "" && r.Whole()
}

// Report looks at everything, side by side. What cannot be seen is said in its
// place; it fails only when nothing can be looked at yet.
func (c *Cluster) Report(ctx context.Context) (Report, error) {
	s, err := c.session(ctx)
	if err != nil {
		return Report{}, err
	}
	r := Report{Reports: make([]Server, c.cfg.Servers)}
	var pods map[string]Pod
	var unseen, lost error
	var group errgroup.Group
	group.Go(func() error { r.Status, lost = c.Status(ctx); return nil })
	group.Go(func() error { r.Keyring = s.keyring(ctx); return nil })
	group.Go(func() error { pods, unseen = c.pods(ctx); return nil })
	for i, server := range s.servers {
		group.Go(func() error { r.Reports[i] = selfReport(ctx, server); return nil })
	}
	_ = group.Wait()
	switch {
	case ctx.Err() != nil:
		return Report{}, context.Cause(ctx)
	case errors.Is(lost, converge.ErrNotYet):
		return Report{}, lost
	case lost != nil:
		r.Status, r.Cause = Status{Wanted: c.cfg.Servers}, lost.Error()
	}
	for i := range r.Reports {
		one := &r.Reports[i]
		one.Member, _ = r.member(c.server(i))
		one.Name = c.server(i)
		one.look(pods[one.Name], c.cfg.Pods != nil && unseen == nil)
		r.CommitIndex = max(r.CommitIndex, one.CommitIndex)
	}
	r.Notices = shared(pods)
	if unseen != nil {
		r.Notices = append(r.Notices, "the pods cannot be seen: "+unseen.Error())
	}
	certificate, _ := s.tokens.Public(serverToken)
	r.Certificate = ends(certificate)
	return r, nil
}

// look adds what Kubernetes says of the server's pod.
func (s *Server) look(p Pod, seen bool) {
	s.Node = p.Node
	switch {
	case !seen:
		s.Revision = "unknown"
	case p.UID == "":
		s.Revision = "no pod"
	case p.Deleting:
		s.Revision = "ends"
	case p.Current:
		s.Revision = "current"
	default:
		s.Revision = "waits for rollout"
	}
	if seen && !p.Ready {
		s.Reason, s.Since = p.Reason, p.Since
	}
	if s.ID != "" && !s.Healthy && s.Since.IsZero() {
		s.Since = s.StableSince
	}
}

// selfReport asks a server about its own log.
func selfReport(ctx context.Context, server *api.Client) Server {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	var self struct {
		Stats struct {
			Raft map[string]string `json:"raft"`
		}
	}
	if _, err := server.Raw().Query("/v1/agent/self", &self, (&api.QueryOptions{}).WithContext(ctx)); err != nil {
		return Server{Error: brief(err).Error()}
	}
	number := func(name string) uint64 {
		n, _ := strconv.ParseUint(self.Stats.Raft[name], 10, 64)
		return n
	}
	return Server{CommitIndex: number("commit_index"), LogIndex: number("last_log_index")}
}

func (s *session) keyring(ctx context.Context) Keyring {
	rings, err := s.listKeys(ctx)
	var all Keyring
	if err != nil {
		all.Error = strings.Join(strings.Fields(brief(err).Error()), " ") // serf's has a line for each member
	}
	for _, ring := range rings {
		for _, members := range ring.Keys {
			all.Keys++
			if members < ring.NumNodes {
				all.Partial++
			}
		}
	}
	return all
}

// ends is when a certificate ends; zero when there is none.
func ends(certificate string) time.Time {
	block, _ := pem.Decode([]byte(certificate))
	if block == nil {
		return time.Time{}
	}
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return time.Time{}
	}
	return parsed.NotAfter
}
