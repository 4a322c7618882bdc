// SPDX-License-Identifier: Apache-2.0

package consul_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"clusterup.dev/clusterup/internal/consul"
)

// nobody is pods with an agent that does not answer.
type nobody struct{}

func (nobody) Agents(context.Context) ([]consul.Agent, error) {
	return []consul.Agent{{Namespace: "app", Pod: "app-0", Port: 8500}}, nil
}
func (nobody) Refresh(context.Context, consul.Agent, string) error { return nil }
func (nobody) Dial(context.Context, string, string, int) (net.Conn, error) {
	return nil, errors.New("it is away")
}

// While two CAs are trusted, an agent that does not answer holds the rotation up;
// before and afterwards it holds up nobody, and is told of.
func TestASilentAgentHoldsUpOnlyARotationOfTheCA(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	r, err := g.open(g.bucket(), nil)
	must(t, err)
	must(t, r.keeper.Make(t.Context(), r.specs))
	check := func(when string, changes, notices int) {
		t.Helper()
		c, err := consul.New(consul.Config{
			Dialer: nobody{}, Agents: nobody{},
			Tokens: func(ctx context.Context) (consul.Tokens, error) { return r.keeper.Load(ctx, r.specs) },
		})
		must(t, err)
		plan, err := step(t, c, consul.AgentsStep).Plan(t.Context())
		must(t, err)
		if len(plan.Changes) != changes || len(plan.Notices) != notices || notices > 0 && !strings.Contains(plan.Notices[0], "app/app-0") {
			t.Errorf("%s: %+v", when, plan)
		}
	}
	check("never rotated", 0, 0)
	must(t, r.keeper.Renew(t.Context(), r.spec("consul/ca")))
	check("both are trusted", 1, 0)
	must(t, r.keeper.Renew(t.Context(), r.spec("consul/server")))
	check("certificates are of the new one", 1, 0)
	must(t, r.keeper.Retire(t.Context(), "consul/ca"))
	check("the old one is not trusted", 0, 1)
}
