// SPDX-License-Identifier: Apache-2.0

package consul_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/consul"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/converge/convergetest"
)

// Roles, what is allowed without a token, the auth method and its binding rules
// are made; whatever others change in them is named and put right, and what they
// made themselves is left alone.
func TestRolesAndLogins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.asks[1].Roles = []consul.Role{{Name: "app", Policies: []string{"app"}, Description: "an application"}}
	w.asks[1].Tokens[0].Roles = []string{"app"}
	w.asks[1].Logins = []consul.Login{{ServiceAccount: "app", Namespace: "apps", Roles: []string{"app"}}}
	carryOut(t, w.cluster(t))
	token, _ := w.tokens.Secret("consul/bootstrap")
	acl := w.client(t, token.RevealString()).ACL()
	accessor, _ := w.tokens.Public("app/consul")
	live, _, err := acl.TokenRead(accessor, nil)
	must(t, err)
	if len(live.Roles) != 1 || live.Roles[0].Name != "app" {
		t.Errorf("the roles of the token: %+v", live.Roles)
	}
	expect := func(t *testing.T, want ...converge.Change) {
		t.Helper()
		if diff := cmp.Diff(want, mend(t, w).Changes); diff != "" {
			t.Errorf("plan (-want +got):\n%s", diff)
		}
	}

	t.Run("role", func(t *testing.T) {
		_, _, err := acl.RoleCreate(&api.ACLRole{Name: "theirs", Policies: []*api.ACLLink{{Name: "app"}}}, nil)
		must(t, err)
		role, _, err := acl.RoleReadByName("app", nil)
		must(t, err)
		role.Policies = append(role.Policies, &api.ACLLink{Name: "global-management"})
		role.Description = "mine"
		role.ServiceIdentities = []*api.ACLServiceIdentity{{ServiceName: "s"}}
		role.NodeIdentities = []*api.ACLNodeIdentity{{NodeName: "n", Datacenter: "dc1"}}
		role.TemplatedPolicies = []*api.ACLTemplatedPolicy{{TemplateName: api.ACLTemplatedPolicyDNSName}}
		_, _, err = acl.RoleUpdate(role, nil)
		must(t, err)
		expect(t, converge.Change{Subject: "Consul role app", Action: converge.Update, Fields: []converge.Field{
			{Path: "policies", Old: "app, global-management", New: "app"},
			{Path: "description", Old: "mine", New: "clusterup: app: an application"},
			{Path: "identities", Old: "node n, service s, templated builtin/dns"},
		}})
		must(t, deleteRole(acl, "app")) // with it goes the link of the token
		expect(
			t,
			converge.Change{Subject: "Consul role app", Action: converge.Create},
			converge.Change{Subject: "Consul token app/consul", Action: converge.Update, Fields: []converge.Field{{Path: "roles", New: "app"}}},
		)
	})

	t.Run("without a token", func(t *testing.T) {
		anonymous := w.client(t, "anonymous")
		if nodes, _, err := anonymous.Catalog().Nodes(nil); err != nil || len(nodes) != servers {
			t.Errorf("%d nodes are seen: %v", len(nodes), err)
		}
		if pair, _, err := anonymous.KV().Get("app/x", nil); err == nil && pair != nil {
			t.Error("a key is seen")
		}
		_, _, err := acl.TokenUpdate(&api.ACLToken{
			AccessorID: "00000000-0000-0000-0000-000000000002", Description: "Anonymous Token",
			Policies: []*api.ACLLink{{Name: "dns"}, {Name: "app"}}, Roles: []*api.ACLLink{{Name: "app"}},
		}, nil)
		must(t, err)
		expect(t, converge.Change{Subject: "Consul anonymous token", Action: converge.Update, Fields: []converge.Field{
			{Path: "policies", Old: "app, dns", New: "dns"}, {Path: "roles", Old: "app"},
		}})
	})

	t.Run("auth method", func(t *testing.T) {
		w.jwt.Store(fakeJWT("two"))
		method, _, err := acl.AuthMethodRead("kubernetes", nil)
		must(t, err)
		method.Config["Host"] = "https://elsewhere.example.org"
		method.MaxTokenTTL = time.Hour
		method.TokenLocality = "global"
		_, _, err = acl.AuthMethodUpdate(method, nil)
		must(t, err)
		expect(t, converge.Change{Subject: "Consul auth method kubernetes", Action: converge.Update, Fields: []converge.Field{
			{Path: "maxTokenTTL", Old: "1h0m0s", New: "0s"},
			{Path: "tokenLocality", Old: "global", New: "local"},
			{Path: "config.Host", Old: "https://elsewhere.example.org", New: "https://kubernetes.default.svc"},
			{Path: "config.ServiceAccountJWT", Old: "(another secret)", New: "(the token in Kubernetes)"},
		}})
		w.jwt.Store("")
		must(t, deleteRole(acl, "app")) // what else differs is known all the same
		plan, err := step(t, w.cluster(t), consul.ACLStep).Plan(t.Context())
		if !errors.Is(err, converge.ErrNotYet) || len(plan.Changes) != 2 {
			t.Errorf("without the reviewer's token: %+v, %v", plan, err)
		}
		w.jwt.Store(fakeJWT("two"))
		refused := w.cluster(t, func(cfg *consul.Config) {
			cfg.Reviewer = func(context.Context) (consul.Reviewer, error) {
				return consul.Reviewer{}, errors.New("secrets is forbidden")
			}
		})
		if _, err := step(t, refused, consul.ACLStep).Plan(t.Context()); err == nil || !strings.Contains(err.Error(), "auth method asks Kubernetes with: secrets is forbidden") {
			t.Errorf("where Kubernetes refuses it: %v", err)
		}
		mend(t, w)
	})

	t.Run("binding rule", func(t *testing.T) {
		const selector = `serviceaccount.namespace=="apps" and serviceaccount.name=="app"`
		subject := `Consul binding rule "clusterup: app: apps/app" to role app`
		rules, _, err := acl.BindingRuleList("kubernetes", nil)
		must(t, err)
		if len(rules) != 1 || rules[0].Selector != selector {
			t.Fatalf("rules: %+v", rules)
		}
		theirs, _, err := acl.BindingRuleCreate(&api.ACLBindingRule{AuthMethod: "kubernetes", BindType: "role", BindName: "app", Description: "theirs"}, nil)
		must(t, err)
		rules[0].Selector = ""
		_, _, err = acl.BindingRuleUpdate(rules[0], nil)
		must(t, err)
		expect(t, converge.Change{Subject: subject, Action: converge.Update, Fields: []converge.Field{{Path: "selector", New: selector}}})
		_, err = acl.BindingRuleDelete(rules[0].ID, nil)
		must(t, err)
		expect(t, converge.Change{Subject: subject, Action: converge.Create})
		_, err = acl.BindingRuleDelete(theirs.ID, nil)
		must(t, err)
	})

	t.Run("auth method deleted", func(t *testing.T) { // and with it what belongs to it
		_, err := acl.AuthMethodDelete("kubernetes", nil)
		must(t, err)
		plan := mend(t, w)
		if len(plan.Changes) != 2 {
			t.Errorf("plan: %+v", plan.Changes)
		}
	})

	// However many tokens there are, planning asks as often.
	t.Run("many tokens", func(t *testing.T) {
		requests := func() int32 {
			c := w.cluster(t)
			before := w.writes.Load()
			plan, err := step(t, c, consul.ACLStep).Plan(t.Context())
			must(t, err)
			if !plan.Empty() {
				t.Errorf("plan: %+v", plan.Changes)
			}
			return w.writes.Load() - before
		}
		few := requests()
		for i := range 200 {
			_, _, err := acl.TokenCreate(&api.ACLToken{Description: fmt.Sprintf("token %d", i)}, nil)
			must(t, err)
		}
		start := time.Now()
		many := requests()
		t.Logf("%d writes to the connection, then %d; the latter took %s", few, many, time.Since(start).Round(time.Millisecond))
		if many > few+10 { // acknowledgements of a longer answer
			t.Errorf("%d writes to the connection, then %d", few, many)
		}
	})
}

func deleteRole(acl *api.ACL, name string) error {
	role, _, err := acl.RoleReadByName(name, nil)
	if err == nil {
		_, err = acl.RoleDelete(role.ID, nil)
	}
	return err
}

// The step that keeps ACLs, and the one that revokes, hold the contract of steps,
// a run that is cut off included.
func TestACLContract(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.asks[1].Roles = []consul.Role{{Name: "app", Policies: []string{"app"}}}
	w.asks[1].Logins = []consul.Login{{ServiceAccount: "app", Namespace: "apps", Roles: []string{"app"}}}
	bootstrap := step(t, w.cluster(t), consul.BootstrapStep)
	plan, err := bootstrap.Plan(t.Context())
	must(t, err)
	must(t, bootstrap.Apply(t.Context(), plan))
	acls := func() converge.Step { return step(t, w.cluster(t), consul.ACLStep) }
	revoke := func() converge.Step { return step(t, w.cluster(t), consul.RevokeStep) }
	in := func(n int32) func(context.CancelFunc) {
		return func(cancel context.CancelFunc) { w.cut.Store(&cut{at: w.writes.Load() + n, cancel: cancel}) }
	}
	all := w.asks
	convergetest.Interrupted(t, acls, in(12))
	w.cut.Store(nil)
	w.asks = all[:1]
	convergetest.Run(t, revoke)
	w.asks = all
	convergetest.Run(t, acls)
	w.asks = all[:1]
	convergetest.Interrupted(t, revoke, in(8))
	w.cut.Store(nil)
}

// What carries our mark and is asked for by nobody any more is taken away by the
// step at the end, and only that: neither what others made, nor what came from a
// login, nor a management token.
func TestRevoke(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.asks[1]
	w.asks[1].Roles = []consul.Role{{Name: "app", Policies: []string{"app"}}}
	w.asks[1].Logins = []consul.Login{{ServiceAccount: "app", Namespace: "apps", Roles: []string{"app"}}}
	c := w.cluster(t)
	if plan, err := step(t, c, consul.RevokeStep).Plan(t.Context()); err != nil || len(plan.Changes) > 0 {
		t.Errorf("before there is anything: %+v, %v", plan, err)
	}
	carryOut(t, c)
	token, _ := w.tokens.Secret("consul/bootstrap")
	acl := w.client(t, token.RevealString()).ACL()
	_, _, err := acl.TokenCreate(&api.ACLToken{Description: "clusterup: a spare one", Policies: []*api.ACLLink{{Name: "global-management"}}}, nil)
	must(t, err)
	_, _, err = acl.TokenCreate(&api.ACLToken{Description: "theirs", Policies: []*api.ACLLink{{Name: "app"}}}, nil)
	must(t, err)
	_, _, err = acl.RoleCreate(&api.ACLRole{Name: "theirs", Policies: []*api.ACLLink{{Name: "app"}}}, nil)
	must(t, err)
	_, _, err = acl.BindingRuleCreate(&api.ACLBindingRule{AuthMethod: "kubernetes", BindType: "role", BindName: "app", Description: "theirs"}, nil)
	must(t, err)
	_, _, err = acl.BindingRuleCreate(&api.ACLBindingRule{AuthMethod: "kubernetes", BindType: "role", BindName: "app", Description: "clusterup: app: apps/app"}, nil)
	must(t, err)

	revoke := func(want ...string) {
		t.Helper()
		acls := step(t, w.cluster(t), consul.ACLStep)
		if plan, err := acls.Plan(t.Context()); err != nil || !plan.Empty() {
			t.Errorf("consul/acl has to do: %+v, %v", plan, err)
		}
		one := step(t, w.cluster(t), consul.RevokeStep)
		plan, err := one.Plan(t.Context())
		must(t, err)
		subjects := []string{}
		for _, change := range plan.Changes {
			subjects = append(subjects, string(change.Action)+" "+change.Subject)
		}
		if diff := cmp.Diff(want, subjects); diff != "" {
			t.Errorf("plan (-want +got):\n%s", diff)
		}
		must(t, one.Apply(t.Context(), plan))
		if left, err := one.Plan(t.Context()); err != nil || !left.Empty() {
			t.Errorf("something is left: %+v, %v", left, err)
		}
	}
	revoke(`delete Consul binding rule "clusterup: app: apps/app" to role app`) // the doubled one
	accessor, _ := w.tokens.Public("app/consul")
	w.asks = w.asks[:1]
	revoke(
		`delete Consul binding rule "clusterup: app: apps/app" to role app`,
		"delete Consul token "+accessor+" (clusterup: app: an application)",
		"delete Consul role app", "delete Consul policy app",
	)
	value, _ := w.tokens.Secret("app/consul")
	if _, _, err := w.client(t, value.RevealString()).ACL().TokenReadSelf(nil); err == nil || !strings.Contains(err.Error(), "ACL not found") {
		t.Errorf("the token works: %v", err)
	}
	for kind, there := range map[string]func() error{
		"role":   func() error { _, _, err := acl.RoleReadByName("theirs", nil); return err },
		"method": func() error { _, _, err := acl.AuthMethodRead("kubernetes", nil); return err },
	} {
		if err := there(); err != nil {
			t.Errorf("the %s is gone: %v", kind, err)
		}
	}
	w.asks = append(w.asks, app) // it comes back as it was
	mend(t, w)
	if _, _, err := w.client(t, value.RevealString()).ACL().TokenReadSelf(nil); err != nil {
		t.Errorf("the token does not work again: %v", err)
	}

	// An auth method that nobody wants any more goes, and takes its rules along.
	none := w.cluster(t, func(cfg *consul.Config) { cfg.Reviewer = nil })
	plan, err := step(t, none, consul.RevokeStep).Plan(t.Context())
	must(t, err)
	if len(plan.Changes) != 1 || plan.Changes[0].Subject != "Consul auth method kubernetes" {
		t.Errorf("plan: %+v", plan.Changes)
	}
	must(t, step(t, none, consul.RevokeStep).Apply(t.Context(), plan))
	if rules, _, err := acl.BindingRuleList("", nil); err != nil || len(rules) > 0 {
		t.Errorf("rules: %+v, %v", rules, err)
	}
}
