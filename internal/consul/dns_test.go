// SPDX-License-Identifier: Apache-2.0

package consul_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/consul"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/testservers"
)

// Every server answers for itself and the others to whoever asks, a follower
// without its leader too. It answers for nothing else, and whoever shows no token
// reads no keys.
func TestDNS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	carryOut(t, w.cluster(t))
	want := []string{w.address(0), w.address(1), w.address(2)}
	for i := range servers {
		err := converge.Until(t.Context(), "every server by name", 20*time.Second, func(ctx context.Context) (bool, string, error) {
			got, err := w.names(i).LookupHost(ctx, "consul.service.consul.")
			slices.Sort(got)
			return slices.Equal(got, want), "others", err
		})
		if err != nil {
			t.Errorf("%s: %v", w.pod(i), err)
		}
	}
	var lookup *net.DNSError
	if got, err := w.names(0).LookupHost(t.Context(), "none.service.consul."); !errors.As(err, &lookup) || !lookup.IsNotFound {
		t.Errorf("a service that is not there: %v, %v", got, err)
	}
	if got, err := w.names(0).LookupHost(t.Context(), "example.org."); err == nil {
		t.Errorf("another domain: %v", got)
	}
	token, _ := w.tokens.Secret("consul/bootstrap")
	_, err := w.client(t, token.RevealString()).KV().Put(&api.KVPair{Key: "app/x", Value: []byte("1")}, nil)
	must(t, err)
	if pair, _, err := w.client(t, "").KV().Get("app/x", nil); pair != nil {
		t.Errorf("a key without a token: %v, %v", pair, err)
	}

	// The rest have lost their quorum: what they know they still say.
	w.kill(1)
	w.kill(2)
	if got, err := w.names(0).LookupHost(t.Context(), "consul.service.consul."); err != nil || len(got) == 0 {
		t.Errorf("without a leader: %v, %v", got, err)
	}
}

// names asks one server over DNS.
func (w *world) names(server int) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(w.address(server), "8600"))
	}}
}

// An agent beside an application puts it into the catalogue while it is well, with
// a token that may write nothing else, and takes it out when it ends.
func TestAServiceRegistersItself(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	w.asks[1] = consul.Ask{
		Addon: "app",
		Policies: []consul.Policy{{Name: "app", Rules: `node_prefix "app-" { policy = "write" }
			service "shop" { policy = "write" }`}},
		Tokens: []consul.Token{{Token: "consul", Policies: []string{"app"}}},
	}
	for i := range servers {
		w.start(t, i)
	}
	carryOut(t, w.cluster(t))
	var well atomic.Bool
	shop := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		if !well.Load() {
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(shop.Close)
	dir, address := w.agentFolder(t, map[string]any{"services": []map[string]any{{
		"name": "shop", "port": 8080, "check": map[string]any{"http": shop.URL, "interval": "200ms"},
	}}})
	until := func(what string, found bool) {
		t.Helper()
		start := time.Now()
		err := converge.Until(t.Context(), what, 30*time.Second, func(ctx context.Context) (bool, string, error) {
			got, err := w.names(1).LookupHost(ctx, "shop.service.consul.")
			var lookup *net.DNSError
			if !found {
				return errors.As(err, &lookup) && lookup.IsNotFound, "found at " + strings.Join(got, ", "), nil
			}
			return slices.Equal(got, []string{address}), "", err
		})
		must(t, err)
		t.Logf("%s after %s", what, time.Since(start).Round(10*time.Millisecond))
	}
	p := testservers.Start(t, testservers.Program{Name: "agent", Path: w.program, Dir: dir, Args: []string{"agent", "-config-file=" + filepath.Join(dir, "agent.json")}})
	well.Store(true)
	until("a service that is well", true)
	well.Store(false)
	until("none while it is not", false)
	well.Store(true)
	until("it is back", true)
	p.End()
	until("none when its agent has ended", false)
}
