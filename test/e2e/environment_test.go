// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// environmentFile is a local environment under another name than the README's.
const environmentFile = `apiVersion: clusterup.dev/v1alpha1
kind: Environment
metadata: {name: e2e}
spec:
  development: true
  custodian: me
  cluster:
    terraform: {module: local, variables: {nodes: 3}}
  operators:
    - {name: me, self: true}
  addons:
    - {name: consul}
    - name: vault
      values:
        threshold: 2
        holders: [{operator: me, shares: 3}]
        roles:
          - {name: demo, serviceAccounts: [demo], namespaces: [demo], policies: [app]}
`

// TestEnvironment is the life of one environment: killed in the middle of being
// made, made, run again, broken in three ways and mended, removed.
func TestEnvironment(t *testing.T) {
	w := newWorld(t, "e2e", environmentFile)
	before := everything(t)
	w.killedWhile("vault/apply")
	made := w.must(10*time.Minute, "create", w.name, "--yes")
	for _, want := range []string{"nodes", "3 of 3 ready", "consul", "3 voters", "vault", "2 standbys", "key shares", "me"} {
		if !strings.Contains(made.out, want) {
			t.Errorf("the table after create does not say %q", want)
		}
	}
	cluster := w.cluster()
	bridge, subnet := w.reserved()
	t.Run("Consul has three voters and a leader by its own API", func(t *testing.T) { w.consulQuorum(t, cluster) })
	t.Run("Vault is unsealed three times by its own API", func(t *testing.T) { w.vaultUnsealed(t, cluster) })
	t.Run("a pod writes and reads a secret through Kubernetes auth", func(t *testing.T) { w.podUsesVault(t) })
	t.Run("a second create changes nothing", func(t *testing.T) { w.secondRun(t) })
	t.Run("status is healthy and diff is empty", func(t *testing.T) {
		w.must(time.Minute, "status", w.name)
		w.must(time.Minute, "diff", w.name)
	})
	t.Run("a hand edit is named with its manager and put back", func(t *testing.T) { w.handEdit(t) })
	t.Run("a deleted Vault pod is unsealed again", func(t *testing.T) { w.deletedPod(t, cluster) })
	t.Run("a killed node comes back with its volumes", func(t *testing.T) { w.killedNode(t, cluster) })
	t.Run("two runs at once are kept apart", func(t *testing.T) { w.twoRuns(t) })
	t.Run("no secret is anywhere outside its sealed form", func(t *testing.T) { w.canary(t) })
	t.Run("destroy leaves only the bucket", func(t *testing.T) {
		w.must(3*time.Minute, "destroy", w.name, "--yes")
		gone(t, traces(t, w.state, bridge, subnet), before)
		entries, err := os.ReadDir(w.state)
		if err != nil || len(entries) == 0 {
			t.Errorf("the bucket's data is gone too: %v", err)
		}
		for _, e := range entries {
			if e.Name() != "s3" && e.Name() != "reservation.json" {
				t.Errorf("destroy left %s", e.Name())
			}
		}
	})
	t.Run("destroy --purge leaves nothing", func(t *testing.T) {
		w.must(3*time.Minute, "destroy", w.name, "--yes", "--purge")
		gone(t, traces(t, w.state, bridge, subnet), before)
		if _, err := os.Stat(w.state); !os.IsNotExist(err) {
			t.Errorf("%s is still there", w.state)
		}
	})
}

// everything is what a look at the machine showed before.
func everything(t *testing.T) map[string]bool {
	seen := map[string]bool{}
	for _, line := range traces(t, "/var/lib/clusterup/e2e", "", "") {
		seen[line] = true
	}
	return seen
}

func gone(t *testing.T, now []string, before map[string]bool) {
	t.Helper()
	for _, line := range now {
		if !before[line] {
			t.Errorf("left behind: %s", line)
		}
	}
}

// killedWhile starts a create and kills it with SIGKILL as soon as it says that
// a step is done; the next step is then under way.
func (w *world) killedWhile(step string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 8*time.Minute)
	defer cancel()
	c := w.command(ctx, "create", w.name, "--yes")
	watcher := &killer{step: "✓ " + step, kill: func() { _ = c.Process.Signal(syscall.SIGKILL) }}
	c.Stderr, c.Stdout = watcher, watcher
	err := c.Run()
	w.said.Write(watcher.said.Bytes())
	w.t.Logf("killed after %s: %v\n%s", step, err, watcher.said.String())
	if !watcher.fired {
		w.t.Fatalf("the run ended before %s was done: %v", step, err)
	}
}

// killer is a writer that kills once it has read its word.
type killer struct {
	said  bytes.Buffer
	step  string
	kill  func()
	fired bool
}

func (k *killer) Write(p []byte) (int, error) {
	n, err := k.said.Write(p)
	if !k.fired && strings.Contains(k.said.String(), k.step) {
		k.fired = true
		k.kill()
	}
	return n, err
}
