// SPDX-License-Identifier: Apache-2.0

package consul_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/consul"
	"clusterup.dev/clusterup/internal/converge"
)

// A server that is away while the gossip key is rotated would start with its old
// keyring and understand nobody, for good: the rotation names it and touches no
// keyring, and goes on when it is back.
func TestGossipKeyWaitsForAServerThatIsAway(t *testing.T) {
	t.Parallel()
	tu := newTurning(t)
	token, _ := tu.tokens.Secret("consul/bootstrap")
	client := tu.client(t, token.RevealString())
	tu.kill(2)
	must(t, converge.Until(t.Context(), "gossip to give the server up", time.Minute, func(context.Context) (bool, string, error) {
		status, err := tu.c.Status(t.Context())
		for _, m := range status.Members {
			if m.Name == tu.pod(2) {
				return m.Gossip == "failed", m.Gossip, err
			}
		}
		return false, "it is not there", err
	}))
	tu.renew(t, "consul/gossip")
	hasty := tu.cluster(t, func(cfg *consul.Config) { cfg.Timeout = 3 * time.Second })
	for what, wait := range map[string]func(context.Context) error{"await": hasty.AwaitGossip, "use": hasty.UseNewestGossipKey} {
		if err := wait(t.Context()); err == nil || !strings.Contains(err.Error(), tu.pod(2)) {
			t.Errorf("%s: %v", what, err)
		}
	}
	key, _ := tu.tokens.Secret("consul/gossip")
	rings, err := client.Operator().KeyringList(nil)
	must(t, err)
	for _, ring := range rings {
		if ring.Keys[key.RevealString()] != 0 {
			t.Errorf("%d members have the new key", ring.Keys[key.RevealString()])
		}
	}
	tu.start(t, 2)
	tu.converge(t)
	must(t, step(t, tu.c, consul.QuorumStep).Apply(t.Context(), converge.Plan{}))
	mustBeWhole(t, tu.c)
}
