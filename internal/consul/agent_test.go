// SPDX-License-Identifier: Apache-2.0

package consul_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/consul"
	"clusterup.dev/clusterup/internal/testservers"
)

// An agent that starts the moment the steps are done gets its certificate from
// the servers, registers under its token and serves requests at once; without
// the token it may do nothing.
func TestAgentWorksAtOnce(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	w.asks[1] = consul.Ask{
		Addon: "app",
		Policies: []consul.Policy{{Name: "app", Rules: `
			key_prefix "app/" { policy = "write" }
			session_prefix "app-" { policy = "write" }
			node_prefix "app-" { policy = "write" }
			agent_prefix "app-" { policy = "read" }`}},
		Tokens: []consul.Token{{Token: "consul", Policies: []string{"app"}}},
	}
	for i := range servers {
		w.start(t, i)
	}
	carryOut(t, w.cluster(t))
	value, _ := w.tokens.Secret("app/consul")
	dir, address := w.agentFolder(t, nil)

	agent, err := api.NewClient(&api.Config{Address: fmt.Sprintf("http://%s:8500", address), Token: value.RevealString()})
	must(t, err)
	start := time.Now()
	p := testservers.Start(t, testservers.Program{
		Name: "agent", Path: w.program, Dir: dir, Args: []string{"agent", "-config-file=" + filepath.Join(dir, "agent.json")},
		Ready: func(ctx context.Context) error {
			_, err := agent.KV().Put(&api.KVPair{Key: "app/x", Value: []byte("1")}, (&api.WriteOptions{}).WithContext(ctx))
			return err
		},
	})
	t.Cleanup(p.Kill)
	t.Logf("from the agent's start to its first write: %s", time.Since(start).Round(time.Millisecond))
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("the first write took %s", took)
	}
	if _, err := agent.KV().Put(&api.KVPair{Key: "other/x", Value: []byte("1")}, nil); err == nil {
		t.Error("the token writes where it may not")
	}
	stranger, err := api.NewClient(&api.Config{Address: fmt.Sprintf("http://%s:8500", address), Token: "00000000-0000-0000-0000-000000000002"})
	must(t, err)
	if pair, _, err := stranger.KV().Get("app/x", nil); err == nil && pair != nil {
		t.Error("a stranger reads what the agent wrote")
	}
}

// agentFolder has the configuration of an agent app-0 that is not a server, under
// the token app/consul, and the address that it will have.
func (w *world) agentFolder(t *testing.T, more map[string]any) (dir, address string) {
	t.Helper()
	value, _ := w.tokens.Secret("app/consul")
	gossip, _ := w.tokens.Secret("consul/gossip")
	ca, _ := w.tokens.Public("consul/ca")
	dir, address = t.TempDir(), w.network+".9"
	must(t, os.WriteFile(filepath.Join(dir, "ca.crt"), []byte(ca), 0o600))
	config := map[string]any{
		"datacenter": "dc1", "data_dir": filepath.Join(dir, "data"), "node_name": "app-0",
		"bind_addr": address, "advertise_addr": address, "client_addr": address,
		"ports":      map[string]any{"grpc": -1, "dns": -1},
		"retry_join": []string{w.address(0), w.address(1), w.address(2)}, "retry_interval": "1s",
		"encrypt":            gossip.RevealString(),
		"leave_on_terminate": true,
		"auto_encrypt":       map[string]any{"tls": true},
		"tls": map[string]any{
			"defaults":     map[string]any{"ca_file": filepath.Join(dir, "ca.crt"), "verify_outgoing": true},
			"internal_rpc": map[string]any{"verify_incoming": true, "verify_server_hostname": true},
		},
		"acl": map[string]any{"enabled": true, "default_policy": "deny", "tokens": map[string]any{
			"agent": value.RevealString(), "config_file_service_registration": value.RevealString(),
		}},
	}
	maps.Copy(config, more)
	data, err := json.Marshal(config)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "agent.json"), data, 0o600))
	return dir, address
}
