// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/hashicorp/consul/api"
	"golang.org/x/sync/errgroup"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/secret"
)

// Agents are the pods of other add-ons that hold a Consul client agent.
type Agents interface {
	// Agents lists those that run. Before there is a cluster it answers an error
	// that wraps converge.ErrNotYet.
	Agents(ctx context.Context) ([]Agent, error)
	// Refresh makes the pod's node look at once at what the pod mounts. It does
	// not wait.
	Refresh(ctx context.Context, a Agent, why string) error
}

// Agent is one of them; its API is plain HTTP on Port inside the pod.
type Agent struct {
	Namespace, Pod string
	Port           int
}

func (a Agent) String() string { return a.Namespace + "/" + a.Pod }

// CAMeta is the key in an agent's node_meta under which its configuration has
// CAMark. It lies in the same ConfigMap as the CA, and an agent reloads it after
// the CA: so what it tells of itself is what it has loaded. The name of the file
// must not say it instead: an earlier release would bring an earlier CA back.
const CAMeta = "clusterup_ca"

// CAMark stands for a bundle of Consul's CA: the first twelve digits of its SHA-256.
func CAMark(bundle string) string {
	sum := sha256.Sum256([]byte(bundle))
	return hex.EncodeToString(sum[:6])
}

// agentsStep makes client agents load a CA that was rotated. They take it up when
// they are told to reload, and go on without a restart.
type agentsStep struct{ *Cluster }

// Name is "consul/agents".
func (agentsStep) Name() string { return AgentsStep }

// Destroy does nothing: agents end with their pods.
func (agentsStep) Destroy(context.Context) error { return nil }

// Plan asks every agent which CA it has loaded, once there has been a rotation:
// before that, what an agent starts with is right.
func (a agentsStep) Plan(ctx context.Context) (converge.Plan, error) {
	s, err := a.session(ctx)
	if err != nil {
		return converge.Plan{}, err
	}
	late, silent, err := s.late(ctx)
	if err != nil {
		return notYetKnown(ctx, err, BootstrapStep)
	}
	plan := converge.Plan{Notices: silent}
	for _, l := range late {
		plan.Changes = append(plan.Changes, converge.Change{
			Subject: "Consul agent of pod " + l.agent.String(), Action: converge.Run, Note: "reload, to take up the CA",
			Fields: []converge.Field{{Path: "node_meta." + CAMeta, Old: l.has, New: CAMark(s.ca)}},
		})
	}
	return plan, nil
}

// Apply has each mount what is new and reload until it says that it has loaded it.
func (a agentsStep) Apply(ctx context.Context, _ converge.Plan) error {
	s, err := a.session(ctx)
	if err != nil {
		return err
	}
	late, _, err := s.late(ctx)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range late {
		group.Go(func() error {
			if err := a.cfg.Agents.Refresh(ctx, l.agent, CAMark(s.ca)); err != nil {
				return err
			}
			what := "the Consul agent of pod " + l.agent.String() + " to load the CA"
			return converge.Until(ctx, what, a.cfg.Timeout, func(ctx context.Context) (bool, string, error) {
				client := s.agent(l.agent)
				if err := reload(ctx, client); err != nil {
					return false, "", err
				}
				has, err := loadedCA(ctx, client)
				return has == CAMark(s.ca), "its pod does not have it yet", err
			})
		})
	}
	return group.Wait()
}

type lateAgent struct {
	agent Agent
	has   string
}

// late are the agents that have loaded another bundle than the one of today. One
// that does not answer is late, too, while an older CA is trusted: certificates of
// the new one must not be used before it knows that one. Later it starts with the CA
// of today, whenever it does, and a line tells of it.
func (s *session) late(ctx context.Context) (late []lateAgent, silent []string, err error) {
	agents := s.cluster.cfg.Agents
	number, older := s.tokens.Generation(caToken)
	if number < 2 || agents == nil {
		return nil, nil, nil
	}
	all, err := agents.Agents(ctx)
	if err != nil {
		return nil, nil, err
	}
	has := make([]string, len(all))
	errs := make([]error, len(all))
	var group errgroup.Group
	group.SetLimit(parallel)
	for i, a := range all {
		group.Go(func() error {
			has[i], errs[i] = loadedCA(ctx, s.agent(a))
			return nil
		})
	}
	_ = group.Wait()
	for i, a := range all {
		switch {
		case errs[i] != nil && len(older) == 0:
			silent = append(silent, fmt.Sprintf("the Consul agent of pod %s does not answer, so which CA it has loaded is not known", a))
		case errs[i] != nil:
			late = append(late, lateAgent{a, "(it does not answer)"})
		case has[i] != CAMark(s.ca):
			late = append(late, lateAgent{a, has[i]})
		}
	}
	return late, silent, ctx.Err()
}

// agent is a client of a pod's agent, a connection for every call. The pod sees the
// token, so it is never the management token; without one the agent refuses.
func (s *session) agent(a Agent) *api.Client {
	token, ok := s.tokens.Secret(agentsToken)
	if !ok {
		token = secret.NewString("none") // set, so that CONSUL_HTTP_TOKEN is not read
	}
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return s.cluster.cfg.Dialer.Dial(ctx, a.Namespace, a.Pod, a.Port)
		},
	}
	client, err := api.NewClient(&api.Config{
		Scheme: "http", Address: net.JoinHostPort(a.Pod, strconv.Itoa(a.Port)), Token: token.RevealString(),
		HttpClient: &http.Client{Transport: plain{transport}, Timeout: agentTimeout}, Transport: transport,
	})
	if err != nil { // it only checks what stands above
		client, _ = api.NewClient(&api.Config{})
	}
	return client
}

// agentTimeout bounds a call to an agent, which asks a server whose token it is.
const agentTimeout = 10 * time.Second

func reload(ctx context.Context, client *api.Client) error {
	_, err := client.Raw().Write("/v1/agent/reload", nil, nil, (&api.WriteOptions{}).WithContext(ctx))
	return err
}

// loadedCA is the mark of the CA that the agent verifies servers with; "" when it
// tells none.
func loadedCA(ctx context.Context, client *api.Client) (string, error) {
	var self struct{ Meta map[string]string }
	if _, err := client.Raw().Query("/v1/agent/self", &self, (&api.QueryOptions{}).WithContext(ctx)); err != nil {
		return "", err
	}
	return self.Meta[CAMeta], nil
}
