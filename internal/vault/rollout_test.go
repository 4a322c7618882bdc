// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/secret"
)

// testRollout proves, on three replicas that are all of an older revision, that
// each is replaced once, never the active one, never while another does not serve,
// and that the lead changes once; that a client which tries again is served all the
// time; and that a run which cannot unseal replaces nothing.
func testRollout(t *testing.T, g *ground) {
	w := g.newWorld(t, 3)
	v := w.open(t)
	if _, err := run(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	w.outdated = map[string]bool{w.uid(0): true, w.uid(1): true, w.uid(2): true}
	var replaced, leaders []string
	w.replace = func(n int) {
		status, err := v.Status(context.WithoutCancel(t.Context()))
		if err != nil || !status.Healthy() || status.Active == podName(n) {
			t.Errorf("%s is replaced in spite of %+v, %v", podName(n), status, err)
		}
		replaced, leaders = append(replaced, podName(n)), append(leaders, status.Active)
		w.servers[n].End()
		w.start(t, n)
	}
	step := v.step(t, "vault/rollout")

	t.Run("without shares nothing is replaced", func(t *testing.T) {
		stranger := *w
		stranger.Runner = "bob"
		s := stranger.open(t).step(t, "vault/rollout")
		plan, err := s.Plan(t.Context())
		if err != nil || len(plan.Changes) != 3 {
			t.Fatalf("%+v, %v", plan.Changes, err)
		}
		var need *custody.NeedHolders
		if err := s.Apply(t.Context(), plan); !errors.As(err, &need) || !slices.Equal(need.Names, []string{"alice"}) || len(replaced) > 0 {
			t.Errorf("%v, replaced %v", err, replaced)
		}
	})

	status, err := v.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	plan, err := step.Plan(t.Context())
	if err != nil || len(plan.Changes) != 3 || plan.Changes[2].Subject != "Vault "+status.Active || !strings.Contains(plan.Changes[2].Note, "active, hands over to another first") {
		t.Fatalf("%+v, %v", plan.Changes, err)
	}
	served := w.keepAsking(t)
	start := time.Now()
	if err := step.Apply(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	count, longest := served()
	t.Logf("three pods in %v; a client was answered %d times, the longest it waited was %v", time.Since(start), count, longest)
	first := status.Active
	if len(replaced) != 3 || len(slices.Compact(slices.Sorted(slices.Values(replaced)))) != 3 || replaced[2] != first || !slices.Equal(leaders[:2], []string{first, first}) {
		t.Errorf("replaced %v while %v were active", replaced, leaders)
	}
	if now, err := v.Status(t.Context()); err != nil || now.Active != leaders[2] {
		t.Errorf("active %s, %v: the lead changed more than once", now.Active, err)
	}
	w.mustServe(t)

	t.Run("a plan that is out of date is refused", func(t *testing.T) {
		w.outdated = map[string]bool{w.uid(1): true}
		if err := step.Apply(t.Context(), plan); !errors.Is(err, converge.ErrStale) {
			t.Errorf("%v", err)
		}
	})
	t.Run("a pod that does not run is replaced first, and nothing is unsealed for it", func(t *testing.T) {
		w.outdated, w.stopped = map[string]bool{w.uid(1): true}, map[string]bool{w.uid(1): true}
		w.servers[1].End()
		w.replace = func(n int) { replaced = append(replaced, podName(n)); w.start(t, n) }
		pods := v.step(t, "vault/pods")
		plan, err := pods.Plan(t.Context())
		if err != nil || len(plan.Changes) != 1 || plan.Changes[0].Subject != "Vault vault-1" {
			t.Fatalf("%+v, %v", plan.Changes, err)
		}
		if _, err := run(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		if len(replaced) != 4 || replaced[3] != "vault-1" {
			t.Errorf("replaced %v", replaced)
		}
		w.mustServe(t)
	})
	t.Run("one that does not come back stops it", func(t *testing.T) {
		w.outdated = map[string]bool{w.uid(0): true, w.uid(1): true, w.uid(2): true}
		before := len(replaced)
		w.replace = func(n int) {
			replaced = append(replaced, podName(n))
			w.servers[n].End()
			w.Starts[n]++ // another pod, and nothing in it
		}
		short := w.open(t)
		short.cfg.Timeout = 3 * time.Second
		s := short.step(t, "vault/rollout")
		plan, err := s.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		err = s.Apply(t.Context(), plan)
		if err == nil || !strings.Contains(err.Error(), "the rollout stops: ") || len(replaced) != before+1 {
			t.Errorf("%v, replaced %v", err, replaced[before:])
		}
	})
}

// keepAsking reads through any replica, again and again, as a pod that tries the
// next one when one does not answer. The function that it returns ends that and says
// how often it was answered, and how long it waited at most.
func (w *world) keepAsking(t *testing.T) (stop func() (answers int64, longest time.Duration)) {
	t.Helper()
	admin := w.loginAs(t, "demo", "web", "demo")
	peers := []*client{w.peerOf(t, 0), w.peerOf(t, 1), w.peerOf(t, 2)}
	ctx, cancel := context.WithCancel(t.Context())
	var count, longest atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		last, tick := time.Now(), time.NewTicker(10*time.Millisecond)
		defer tick.Stop()
		for n := 0; ctx.Err() == nil; n++ {
			<-tick.C
			s := session{peers[n%len(peers)], secret.NewString(admin.token.RevealString())}
			err := s.do(ctx, request{method: http.MethodGet, path: "auth/token/lookup-self", token: s.token, timeout: time.Second}, nil)
			if err == nil {
				longest.Store(max(longest.Load(), int64(time.Since(last))))
				last = time.Now()
				count.Add(1)
			}
		}
	}()
	return func() (int64, time.Duration) {
		cancel()
		<-done
		return count.Load(), time.Duration(longest.Load())
	}
}
