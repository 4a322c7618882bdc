// SPDX-License-Identifier: Apache-2.0

package consul_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/consul"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/testservers"
)

// turning is three servers and a client agent whose secrets are rotated.
type turning struct {
	*world
	ground ground
	run    *crashRun
	agent  string // folder of the agent
	c      *consul.Cluster

	refreshed func() // what the kubelet does when it looks at the agent's pod; nil: nothing
}

func newTurning(t *testing.T) *turning {
	t.Helper()
	g := newGround(t)
	r, err := g.open(g.bucket(), nil)
	must(t, err)
	must(t, r.keeper.Make(t.Context(), r.specs))
	w := prepareWith(t, g.load(t))
	for i := range servers {
		w.start(t, i)
	}
	tu := &turning{world: w, ground: g, run: r, agent: t.TempDir()}
	tu.c = w.cluster(t, func(cfg *consul.Config) {
		cfg.Tokens = func(ctx context.Context) (consul.Tokens, error) { return r.keeper.Load(ctx, r.specs) }
		cfg.Older = func(ctx context.Context, id string) ([]secret.Generation, error) {
			return r.keeper.Older(ctx, r.spec(id))
		}
		cfg.Agents, cfg.Dialer = tu, tu
	})
	tu.converge(t)
	tu.mount(t)
	tu.startAgent(t)
	return tu
}

// converge carries everything out, and then there is nothing to do.
func (tu *turning) converge(t *testing.T) {
	t.Helper()
	r := crashRun{cluster: tu.c}
	must(t, r.converge(t.Context()))
	planned, err := converge.PlanAll(t.Context(), r.steps())
	must(t, err)
	for _, p := range planned {
		if p.Pending() {
			t.Errorf("%s: something is left to do: %+v", p.Step.Name(), p.Plan)
		}
	}
}

func (tu *turning) renew(t *testing.T, ids ...string) {
	t.Helper()
	for _, id := range ids {
		must(t, tu.run.keeper.Renew(t.Context(), tu.run.spec(id)))
	}
	tu.tokens = tu.ground.load(t)
}

const agentPod = "app-0"

func (tu *turning) agentAddress() string { return tu.network + ".9" }

// mount writes what a pod with an agent mounts, as the add-on vault has it.
func (tu *turning) mount(t *testing.T) {
	t.Helper()
	ca, _ := tu.tokens.Public("consul/ca")
	token, _ := tu.tokens.Secret("consul/bootstrap")
	gossip, _ := tu.tokens.Secret("consul/gossip")
	file := filepath.Join(tu.agent, "ca.crt")
	must(t, os.WriteFile(file, []byte(ca), 0o600))
	config := fmt.Sprintf(`
server = false
data_dir = %q
retry_join = [%q]
retry_interval = "1s"
leave_on_terminate = true
encrypt = %q
ports { http = 8500, https = -1, grpc = -1, dns = -1 }
auto_encrypt { tls = true }
tls {
  defaults { ca_file = %q, verify_outgoing = true }
  internal_rpc { verify_incoming = true, verify_server_hostname = true }
}
acl { enabled = true, default_policy = "deny", tokens { agent = %q } }
disable_update_check = true
node_meta { %s = %q }
`, filepath.Join(tu.agent, "data"), tu.address(0), gossip.RevealString(), file, token.RevealString(), consul.CAMeta, consul.CAMark(ca))
	must(t, os.WriteFile(filepath.Join(tu.agent, "agent.hcl"), []byte(config), 0o600))
}

func (tu *turning) startAgent(t *testing.T) *testservers.Process {
	t.Helper()
	p := testservers.Start(t, testservers.Program{
		Name: agentPod, Path: tu.program, Dir: tu.agent, Ready: tu.agentWorks,
		Args: []string{"agent", "-config-file=" + filepath.Join(tu.agent, "agent.hcl"), "-node=" + agentPod, "-bind=" + tu.agentAddress(), "-client=" + tu.agentAddress()},
	})
	t.Cleanup(p.Kill)
	return p
}

// agentWorks asks the agent for something that only a server knows.
func (tu *turning) agentWorks(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(tu.agentAddress(), "8500")+"/v1/catalog/nodes", nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the agent answers %s", answer.Status)
	}
	return nil
}

// Dial reaches the agent, too.
func (tu *turning) Dial(ctx context.Context, namespace, pod string, port int) (net.Conn, error) {
	if pod == agentPod {
		return (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(tu.agentAddress(), fmt.Sprint(port)))
	}
	return tu.world.Dial(ctx, namespace, pod, port)
}

// Agents is the one pod with an agent.
func (tu *turning) Agents(context.Context) ([]consul.Agent, error) {
	return []consul.Agent{{Namespace: "app", Pod: agentPod, Port: 8500}}, nil
}

// Refresh is what the kubelet does when a pod was touched.
func (tu *turning) Refresh(context.Context, consul.Agent, string) error {
	if tu.refreshed != nil {
		tu.refreshed()
	}
	return nil
}

// The gossip key of servers and agents is another one afterwards, the old one is in
// no keyring, and an agent that starts anew with the new one joins.
func TestGossipKeyIsRotated(t *testing.T) {
	t.Parallel()
	tu := newTurning(t)
	old, _ := tu.tokens.Secret("consul/gossip")
	tu.renew(t, "consul/gossip")
	plan, err := step(t, tu.c, consul.GossipStep).Plan(t.Context())
	must(t, err)
	if len(plan.Changes) != 1 || len(plan.Changes[0].Fields) != 1 || plan.Changes[0].Fields[0].Old != "generation 1" || plan.Changes[0].Fields[0].New != "generation 2" {
		t.Errorf("plan: %+v", plan.Changes)
	}
	if strings.Contains(fmt.Sprintf("%+v", plan), old.RevealString()) {
		t.Error("the plan holds the key")
	}
	start := time.Now()
	tu.converge(t)
	t.Logf("rotated in %s", time.Since(start).Round(time.Millisecond))
	token, _ := tu.tokens.Secret("consul/bootstrap")
	rings, err := tu.client(t, token.RevealString()).Operator().KeyringList(nil)
	must(t, err)
	for _, ring := range rings {
		if len(ring.Keys) != 1 || ring.Keys[old.RevealString()] != 0 || ring.NumNodes != servers+1 {
			t.Errorf("%d keys on %d members, the old one on %d", len(ring.Keys), ring.NumNodes, ring.Keys[old.RevealString()])
		}
	}
	must(t, tu.agentWorks(t.Context()))
}

// The management token of another generation takes over from the one before; that
// one is not known any more. So it is, too, when Consul goes back to the old one.
func TestManagementTokenIsRotated(t *testing.T) {
	t.Parallel()
	tu := newTurning(t)
	old, _ := tu.tokens.Secret("consul/bootstrap")
	tu.renew(t, "consul/bootstrap")
	for _, item := range tu.c.Steps() { // nothing else has to wait for it
		if _, err := item.Step.Plan(t.Context()); err != nil {
			t.Errorf("%s: %v", item.Step.Name(), err)
		}
	}
	tu.converge(t)
	now, _ := tu.tokens.Secret("consul/bootstrap")
	accessor, _ := tu.tokens.Public("consul/bootstrap")
	self, _, err := tu.client(t, now.RevealString()).ACL().TokenReadSelf(nil)
	must(t, err)
	if self.AccessorID != accessor {
		t.Errorf("its accessor is %s, want %s", self.AccessorID, accessor)
	}
	if _, _, err := tu.client(t, old.RevealString()).ACL().TokenReadSelf(nil); err == nil {
		t.Error("the old token is still known")
	}
	for i := range servers {
		log, err := os.ReadFile(tu.process(i).Log)
		must(t, err)
		for line := range strings.Lines(string(log)) {
			if strings.Contains(line, old.RevealString()) || strings.Contains(line, now.RevealString()) {
				t.Errorf("%s logs a token: %s", tu.pod(i), strings.NewReplacer(old.RevealString(), "(old)", now.RevealString(), "(new)").Replace(line))
			}
		}
	}
}

// A CA is rotated in three turns. Servers are started anew in each, one after the
// other, and the agent is only told to reload: at no moment does it lose them.
func TestCAIsRotated(t *testing.T) {
	t.Parallel()
	tu := newTurning(t)
	turn := func(what string) {
		t.Helper()
		tu.render(t)
		for i := range servers {
			must(t, tu.stop(t.Context(), i))
			tu.start(t, i)
			must(t, step(t, tu.c, consul.QuorumStep).Apply(t.Context(), converge.Plan{}))
			if err := tu.agentWorks(t.Context()); err != nil {
				t.Errorf("%s, after server %d: %v", what, i, err)
			}
		}
		tu.refreshed = func() { tu.mount(t) }
		plan, err := step(t, tu.c, consul.AgentsStep).Plan(t.Context())
		must(t, err)
		t.Logf("%s: %+v", what, plan.Changes)
		tu.converge(t)
		must(t, tu.agentWorks(t.Context()))
	}
	tu.renew(t, "consul/ca")
	turn("both are trusted")
	tu.renew(t, "consul/server")
	turn("certificates are of the new one")
	must(t, tu.run.keeper.Retire(t.Context(), "consul/ca"))
	tu.tokens = tu.ground.load(t)
	turn("the old one is not trusted")
	ca, _ := tu.tokens.Public("consul/ca")
	if n := strings.Count(ca, "BEGIN CERTIFICATE"); n != 1 {
		t.Errorf("%d certificates are trusted", n)
	}
	token, _ := tu.tokens.Secret("consul/bootstrap")
	if _, err := tu.client(t, token.RevealString()).Agent().Members(false); err != nil {
		t.Errorf("with the new CA alone: %v", err)
	}
}
