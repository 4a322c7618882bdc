// SPDX-License-Identifier: Apache-2.0

package consul_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/consul"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

// Whoever bootstrapped first, with a token that is not ours, keeps Consul; the
// refusal says what to do and holds no secret.
func TestBootstrapByAnotherIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	theirs := w.cluster(t, func(cfg *consul.Config) {
		cfg.Tokens = func(context.Context) (consul.Tokens, error) { return other{w.tokens, "consul/bootstrap"}, nil }
	})
	bootstrap(t, theirs)
	ours := step(t, w.cluster(t), consul.BootstrapStep)
	plan, err := ours.Plan(t.Context())
	must(t, err)
	err = ours.Apply(t.Context(), plan)
	if err == nil || !strings.Contains(err.Error(), "bootstrapped with another token") || !strings.Contains(hint.Of(err), "acl-bootstrap-reset") {
		t.Fatalf("refusal: %v (hint %q)", err, hint.Of(err))
	}
	value, _ := w.tokens.Secret("consul/bootstrap")
	if strings.Contains(err.Error()+hint.Of(err), value.RevealString()) {
		t.Error("the refusal holds the token")
	}
	for _, name := range []string{consul.ACLStep, consul.QuorumStep} {
		plan, err := step(t, w.cluster(t), name).Plan(t.Context())
		if err != nil || plan.After != consul.BootstrapStep {
			t.Errorf("%s: plan %+v, %v", name, plan, err)
		}
	}
}

// Cut off at any write of the bootstrap, whether or not the server acted on it,
// the next run comes to the same end. The token is put back to "never
// bootstrapped" between the rounds.
func TestBootstrapCutAnywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	carryOut(t, w.cluster(t))
	spare := spareManagement(t, w)
	for round := int32(1); round <= 12; round++ {
		unbootstrap(t, w, spare)
		ctx, cancel := context.WithCancel(t.Context())
		first := step(t, w.cluster(t), consul.BootstrapStep)
		plan, err := first.Plan(ctx)
		must(t, err)
		if plan.Empty() {
			t.Fatal("the test did not undo the bootstrap")
		}
		w.cut.Store(&cut{at: w.writes.Load() + round, cancel: cancel})
		err = first.Apply(ctx, plan)
		w.cut.Store(nil)
		cancel()
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("round %d: cut run: %v", round, err)
		}
		bootstrap(t, w.cluster(t))
	}
}

// Two runs at once both find the same token at work.
func TestBootstrapTwiceAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ends := make(chan error)
	for range 2 {
		one := step(t, w.cluster(t), consul.BootstrapStep)
		go func() {
			plan, err := one.Plan(t.Context())
			if err == nil {
				err = one.Apply(t.Context(), plan)
			}
			ends <- err
		}()
	}
	for range 2 {
		must(t, <-ends)
	}
}

// Servers of another environment are recognised by their certificates, at once.
func TestServersOfAnotherEnvironment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tokens = ownTokens(t)
	one := step(t, w.cluster(t), consul.BootstrapStep)
	err := one.Apply(t.Context(), converge.Plan{}) // waits until they listen
	if err == nil || !strings.Contains(err.Error(), "another CA") || hint.Of(err) == "" {
		t.Errorf("apply: %v (hint %q)", err, hint.Of(err))
	}
	if _, err := one.Plan(t.Context()); err == nil || !strings.Contains(err.Error(), "another CA") {
		t.Errorf("plan: %v", err)
	}
}

// Before there are tokens or a cluster the steps say so, and don't fail.
func TestPlansBeforeTheirTime(t *testing.T) {
	yet := fmt.Errorf("the cluster: %w", converge.ErrNotYet)
	tokens := ownTokens(t)
	for name, cfg := range map[string]consul.Config{
		"no tokens":  {Tokens: func(context.Context) (consul.Tokens, error) { return nil, yet }},
		"no cluster": {Tokens: func(context.Context) (consul.Tokens, error) { return tokens, nil }, Dialer: failing{yet}},
	} {
		c, err := consul.New(cfg)
		must(t, err)
		for _, item := range c.Steps() {
			if _, err := item.Step.Plan(t.Context()); !errors.Is(err, converge.ErrNotYet) {
				t.Errorf("%s, %s: %v", name, item.Step.Name(), err)
			}
		}
	}
}

// Servers that are not up yet are waited for, in words that name each.
func TestPlanNamesServersThatDoNotAnswer(t *testing.T) {
	tokens := ownTokens(t)
	c, err := consul.New(consul.Config{
		Tokens: func(context.Context) (consul.Tokens, error) { return tokens, nil },
		Dialer: failing{errors.New("the pod is not running")},
	})
	must(t, err)
	plan, err := step(t, c, consul.BootstrapStep).Plan(t.Context())
	must(t, err)
	if len(plan.Changes) != 2 || plan.Changes[0].Action != converge.Wait || plan.Changes[1].Action != converge.Run {
		t.Fatalf("plan: %+v", plan)
	}
	want := "no Consul server answers: consul-server-0: the pod is not running; consul-server-1: the pod is not running; consul-server-2: the pod is not running"
	if plan.Changes[0].Note != want {
		t.Errorf("note: %s", plan.Changes[0].Note)
	}
}

type failing struct{ err error }

func (f failing) Dial(context.Context, string, string, int) (net.Conn, error) { return nil, f.err }

// other is tokens with another secret for one id.
type other struct {
	*secret.Set
	id string
}

func (o other) Secret(id string) (secret.Value, bool) {
	if id == o.id {
		return secret.NewString("0d9f2b6e-5a7c-4c39-9a53-2f1f3a0b1c2d"), true
	}
	return o.Set.Secret(id)
}

// bootstrap carries out one step and expects it to be the end of it.
func bootstrap(t *testing.T, c *consul.Cluster) {
	t.Helper()
	one := step(t, c, consul.BootstrapStep)
	plan, err := one.Plan(t.Context())
	must(t, err)
	must(t, one.Apply(t.Context(), plan))
	plan, err = one.Plan(t.Context())
	must(t, err)
	if !plan.Empty() {
		t.Fatalf("after the bootstrap there is something left: %+v", plan)
	}
}

const spareSecret = "7c4b0c39-19b5-4a4e-8a7f-36f1a6a3c5d1"

// spareManagement is a client with another management token than the chosen one.
func spareManagement(t *testing.T, w *world) *api.Client {
	t.Helper()
	token, _ := w.tokens.Secret("consul/bootstrap")
	_, _, err := w.client(t, token.RevealString()).ACL().TokenCreate(&api.ACLToken{
		SecretID: spareSecret,
		Policies: []*api.ACLTokenPolicyLink{{Name: "global-management"}},
	}, nil)
	must(t, err)
	return w.client(t, spareSecret)
}

var resetIndex = regexp.MustCompile(`reset index: (\d+)`)

// unbootstrap takes the chosen token away and allows another bootstrap, as an
// operator would.
func unbootstrap(t *testing.T, w *world, spare *api.Client) {
	t.Helper()
	token, _ := w.tokens.Secret("consul/bootstrap")
	self, _, err := spare.ACL().TokenReadSelf(&api.QueryOptions{Token: token.RevealString()})
	must(t, err)
	_, err = spare.ACL().TokenDelete(self.AccessorID, nil)
	must(t, err)
	_, _, err = spare.ACL().BootstrapWithToken("")
	index := resetIndex.FindStringSubmatch(fmt.Sprint(err))
	if index == nil {
		t.Fatalf("no reset index in %v", err)
	}
	for i := range servers {
		file := filepath.Join(w.dir, w.pod(i), "data", "acl-bootstrap-reset")
		must(t, os.WriteFile(file, []byte(index[1]), 0o600))
	}
}
