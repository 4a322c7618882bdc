// SPDX-License-Identifier: Apache-2.0

package consul_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/consul"
	"clusterup.dev/clusterup/internal/converge"
)

// Two of three volumes are gone. The third server becomes the only voter by what
// docs/consul.md says, the others start on empty volumes at other addresses, and
// what was written is there.
func TestLostQuorumIsRecovered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	carryOut(t, w.cluster(t))
	token, _ := w.tokens.Secret("consul/bootstrap")
	_, err := w.client(t, token.RevealString()).KV().Put(&api.KVPair{Key: "app/kept", Value: []byte("yes")}, nil)
	must(t, err)
	const left = 2
	for i := range servers {
		w.kill(i)
		if i != left {
			must(t, os.RemoveAll(filepath.Join(w.dir, w.pod(i), "data")))
			w.move(i)
		}
	}
	data := filepath.Join(w.dir, w.pod(left), "data")
	id, err := os.ReadFile(filepath.Join(data, "node-id"))
	must(t, err)
	peers := fmt.Sprintf(`[{"id": %q, "address": "%s:8300", "non_voter": false}]`, strings.TrimSpace(string(id)), w.address(left))
	must(t, os.WriteFile(filepath.Join(data, "raft", "peers.json"), []byte(peers), 0o600))
	for _, i := range []int{left, 0, 1} {
		w.start(t, i)
	}
	must(t, step(t, w.cluster(t), consul.QuorumStep).Apply(t.Context(), converge.Plan{}))
	pair, _, err := w.client(t, token.RevealString()).KV().Get("app/kept", nil)
	if err != nil || pair == nil || string(pair.Value) != "yes" {
		t.Errorf("what was written: %+v, %v", pair, err)
	}
	if _, err := os.Stat(filepath.Join(data, "raft", "peers.json")); !os.IsNotExist(err) {
		t.Errorf("peers.json is still there: %v", err)
	}
}
