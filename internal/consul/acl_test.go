// SPDX-License-Identifier: Apache-2.0

package consul_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/consul"
	"clusterup.dev/clusterup/internal/converge"
)

func TestACLs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	carryOut(t, w.cluster(t))
	token, _ := w.tokens.Secret("consul/bootstrap")
	consulACL := w.client(t, token.RevealString()).ACL()
	accessor, _ := w.tokens.Public("app/consul")

	// What others changed is named field by field and put right; what others
	// made is left alone.
	t.Run("drift", func(t *testing.T) {
		policy, _, err := consulACL.PolicyReadByName("app", nil)
		must(t, err)
		rules := policy.Rules
		policy.Rules = `key_prefix "" { policy = "write" }`
		_, _, err = consulACL.PolicyUpdate(policy, nil)
		must(t, err)
		theirs, _, err := consulACL.PolicyCreate(&api.ACLPolicy{Name: "theirs", Rules: `node_prefix "" { policy = "write" }`}, nil)
		must(t, err)
		live, _, err := consulACL.TokenRead(accessor, nil)
		must(t, err)
		live.Policies = append(live.Policies, &api.ACLTokenPolicyLink{Name: "theirs"})
		live.NodeIdentities = []*api.ACLNodeIdentity{{NodeName: "n1", Datacenter: "dc1"}}
		_, _, err = consulACL.TokenUpdate(live, nil)
		must(t, err)

		plan := mend(t, w)
		want := []converge.Change{
			{Subject: "Consul policy app", Action: converge.Update, Fields: []converge.Field{{Path: "rules", Old: `key_prefix "" { policy = "write" }`, New: rules}}},
			{Subject: "Consul token app/consul", Action: converge.Update, Fields: []converge.Field{
				{Path: "policies", Old: "app, theirs", New: "app"}, {Path: "identities", Old: "node n1"},
			}},
		}
		if diff := cmp.Diff(want, plan.Changes); diff != "" {
			t.Errorf("plan (-want +got):\n%s", diff)
		}
		if again, _, err := consulACL.PolicyRead(theirs.ID, nil); err != nil || again.Rules != theirs.Rules {
			t.Errorf("the policy of others: %+v, %v", again, err)
		}
	})

	// A token that was taken away, and one with another secret under its
	// accessor, come back with the chosen secret.
	t.Run("tokens replaced", func(t *testing.T) {
		for _, secretID := range []string{"", "2f0e3f8c-6f06-44d8-9d0e-6a64d0b7f111"} {
			_, err := consulACL.TokenDelete(accessor, nil)
			must(t, err)
			want := converge.Create
			if secretID != "" {
				_, _, err := consulACL.TokenCreate(&api.ACLToken{AccessorID: accessor, SecretID: secretID, Description: "theirs"}, nil)
				must(t, err)
				want = converge.Replace
			}
			plan := mend(t, w)
			if len(plan.Changes) != 1 || plan.Changes[0].Action != want {
				t.Errorf("plan: %+v", plan.Changes)
			}
			value, _ := w.tokens.Secret("app/consul")
			for i := range servers { // every server knows it as soon as the step is done
				_, _, err := w.clientOf(t, i, value.RevealString()).ACL().TokenReadSelf(&api.QueryOptions{AllowStale: true})
				if err != nil {
					t.Errorf("%s does not know the token: %v", w.pod(i), err)
				}
			}
		}
	})

	// A plan is not carried out on something else than it was made for.
	t.Run("stale plan", func(t *testing.T) {
		_, err := consulACL.TokenDelete(accessor, nil)
		must(t, err)
		one := step(t, w.cluster(t), consul.ACLStep)
		plan, err := one.Plan(t.Context())
		must(t, err)
		policy, _, err := consulACL.PolicyReadByName("app", nil)
		must(t, err)
		_, err = consulACL.PolicyDelete(policy.ID, nil)
		must(t, err)
		if err := one.Apply(t.Context(), plan); !errors.Is(err, converge.ErrStale) {
			t.Errorf("stale plan: %v", err)
		}
		mend(t, w)
	})

	// Cut off at any write, the next run does the rest.
	t.Run("cut anywhere", func(t *testing.T) {
		for round := int32(1); round <= 15; round++ {
			for _, name := range []string{"app", "server-agent"} {
				policy, _, err := consulACL.PolicyReadByName(name, nil)
				must(t, err)
				_, err = consulACL.PolicyDelete(policy.ID, nil)
				must(t, err)
			}
			_, err := consulACL.TokenDelete(accessor, nil)
			must(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			one := step(t, w.cluster(t), consul.ACLStep)
			plan, err := one.Plan(ctx)
			must(t, err)
			w.cut.Store(&cut{at: w.writes.Load() + round, cancel: cancel})
			err = one.Apply(ctx, plan)
			w.cut.Store(nil)
			cancel()
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("round %d: %v", round, err)
			}
			mend(t, w)
		}
	})

	// Rules that Consul does not take end the run at once and by name.
	t.Run("wrong rules", func(t *testing.T) {
		c := w.cluster(t, func(cfg *consul.Config) {
			cfg.Asks = append(cfg.Asks[:len(cfg.Asks):len(cfg.Asks)], consul.Ask{Addon: "web", Policies: []consul.Policy{{Name: "web", Rules: `key_prefix "x" { policy = "sometimes" }`}}})
		})
		one := step(t, c, consul.ACLStep)
		plan, err := one.Plan(t.Context())
		must(t, err)
		err = one.Apply(t.Context(), plan)
		if err == nil || !strings.Contains(err.Error(), "create Consul policy web") {
			t.Errorf("wrong rules: %v", err)
		}
	})
}

// mend plans and applies the ACL step in a new run, expects nothing to be left,
// and returns the plan.
func mend(t *testing.T, w *world) converge.Plan {
	t.Helper()
	one := step(t, w.cluster(t), consul.ACLStep)
	plan, err := one.Plan(t.Context())
	must(t, err)
	must(t, one.Apply(t.Context(), plan))
	left, err := one.Plan(t.Context())
	must(t, err)
	if !left.Empty() {
		t.Fatalf("something is left to do: %+v", left)
	}
	return plan
}
