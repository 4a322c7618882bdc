// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/testservers"
)

// transit is another Vault, small and in memory, whose key opens the one under test.
type transit struct {
	Address string
	Token   string // may use the key, and nothing else
}

const rootOfOther = "root-of-the-other"

// startOther runs a Vault in memory and returns its address and a client as root.
func startOther(t *testing.T) (string, *api.Client) {
	t.Helper()
	port := testservers.Port(t)
	address := fmt.Sprintf("http://127.0.0.1:%d", port)
	testservers.Start(t, testservers.Program{
		Name: "vault-other", Path: testservers.Bin(t, "vault"),
		Args:  []string{"server", "-dev", fmt.Sprintf("-dev-listen-address=127.0.0.1:%d", port), "-dev-no-store-token"},
		Env:   []string{"VAULT_DEV_ROOT_TOKEN_ID=" + rootOfOther},
		Ready: testservers.Answers(address + "/v1/sys/health"),
	})
	config := api.DefaultConfig()
	config.Address = address
	client, err := api.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	client.SetToken(rootOfOther)
	return address, client
}

func startTransit(t *testing.T) *transit {
	t.Helper()
	address, client := startOther(t)
	other := &transit{Address: address}
	for _, call := range []struct {
		path string
		data map[string]any
	}{
		{"sys/mounts/transit", map[string]any{"type": "transit"}},
		{"transit/keys/unseal", nil},
		{"sys/policies/acl/unseal", map[string]any{"policy": "path \"transit/+/unseal\" { capabilities = [\"update\"] }"}},
	} {
		if _, err := client.Logical().WriteWithContext(t.Context(), call.path, call.data); err != nil {
			t.Fatal(err)
		}
	}
	made, err := client.Auth().Token().CreateOrphan(&api.TokenCreateRequest{Policies: []string{"unseal"}, Period: "24h"})
	if err != nil {
		t.Fatal(err)
	}
	other.Token = made.Auth.ClientToken
	return other
}

func (o *transit) stanza() string {
	if o == nil {
		return ""
	}
	return fmt.Sprintf("seal \"transit\" {\n  address = %q\n  key_name = \"unseal\"\n  mount_path = \"transit/\"\n}", o.Address)
}

func (o *transit) env() []string {
	if o == nil {
		return nil
	}
	return []string{"VAULT_TOKEN=" + o.Token}
}

func (o *transit) seal() Seal {
	if o == nil {
		return Seal{}
	}
	return Seal{Type: "transit"}
}

// testTransit has Vault opened by another one: recovery keys are dealt, a restart needs
// nobody, and the recovery keys make a root token and new recovery keys.
func testTransit(t *testing.T, g *ground) {
	other := startTransit(t)
	w := g.newWorldOn(t, 2, func(w *world) { w.Transit = other })
	changes, err := run(t.Context(), w.open(t))
	if err != nil || !strings.Contains(changes[0].Note, "3 recovery keys to alice (3), 2 of them make a root token") {
		t.Fatalf("%v, %v", changes, err)
	}
	w.mustServe(t)
	if sealed, receipts := w.dealt(t); sealed != 3 || receipts != 3 {
		t.Errorf("%d recovery keys and %d receipts, want 3 of each", sealed, receipts)
	}
	v := w.open(t)
	if status, err := v.Status(t.Context()); err != nil || !status.Recovery {
		t.Errorf("%+v, %v", status, err)
	}
	if verified, err := v.VerifyShares(t.Context()); err != nil || len(verified) != 3 {
		t.Errorf("%v, %v", verified, err)
	}

	start := time.Now()
	w.restart()
	w.mustRun(t) // needs nobody
	w.mustServe(t)
	t.Logf("restarted and open by itself in %.1fs", time.Since(start).Seconds())

	err = v.WithRoot(t.Context(), mustHand(t, v), Emergency{TTL: time.Minute}, func(ctx context.Context, root Root) error {
		return w.activePeer(t).do(ctx, request{method: http.MethodGet, path: "sys/policies/acl/clusterup", token: root.Token}, nil)
	})
	if err != nil {
		t.Errorf("a root token of recovery keys: %v", err)
	}
	old := mustHand(t, v)
	w.Threshold = 3
	v = w.open(t)
	if done, err := v.Rekey(t.Context(), mustHand(t, v), false); err != nil || done {
		t.Fatal(done, err)
	}
	peer := w.activePeer(t)
	peer.auto = true
	if taken, err := peer.takes(t.Context(), old, false); err != nil || taken {
		t.Errorf("the old recovery keys are still taken: %v, %v", taken, err)
	}
	if taken, err := peer.takes(t.Context(), mustHand(t, v), false); err != nil || !taken {
		t.Errorf("the new recovery keys: %v, %v", taken, err)
	}
	w.mustServe(t)

	shamirNow := w.open(t)
	shamirNow.cfg.Settings.Seal = Seal{}
	if _, err := run(t.Context(), shamirNow); !errors.Is(err, ErrReseal) || hint.Of(err) == "" {
		t.Errorf("with another seal in the values: %v", err)
	}
}
