// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"slices"
	"strings"
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

// TestEnvironment is the life of one environment: stopped and killed in the middle
// of being made, made, run again, joined by another one, broken in three ways and
// mended, removed.
func TestEnvironment(t *testing.T) {
	outer := newWorld(t, "e2e", environmentFile)
	then := func(what string, do func(t *testing.T, w *world)) {
		t.Helper()
		t.Run(what, func(t *testing.T) { do(t, outer.in(t)) })
	}
	then("Ctrl-C while Terraform works ends the run cleanly", func(t *testing.T, w *world) { w.interrupted(t) })
	outer.killedWhile(t, "vault/apply")
	made := outer.must(10*time.Minute, "create", outer.name, "--yes")
	for _, want := range []string{"nodes", "3 of 3 ready", "consul", "3 voters", "vault", "2 standbys", "key shares", "me"} {
		if !strings.Contains(made.out, want) {
			t.Errorf("the table after create does not say %q", want)
		}
	}
	cluster := outer.cluster()
	bridge, subnet := outer.reserved(t)
	left := func(t *testing.T) []string { return traces(t, outer.name, outer.state, bridge, subnet) }

	then("Consul has three voters and a leader by its own API", func(t *testing.T, w *world) { w.consulQuorum(t, cluster) })
	then("Vault is unsealed three times by its own API", func(t *testing.T, w *world) { w.vaultUnsealed(t, cluster) })
	then("a pod writes and reads a secret through Kubernetes auth", func(t *testing.T, w *world) { w.podUsesVault(t) })
	then("a second create changes nothing", func(t *testing.T, w *world) { w.secondRun(t) })
	then("status is healthy and diff is empty", func(_ *testing.T, w *world) {
		w.must(time.Minute, "status", w.name)
		w.must(time.Minute, "diff", w.name)
	})
	then("a hand edit is named with its manager and put back", func(t *testing.T, w *world) { w.handEdit(t) })
	then("two runs at once are kept apart", func(t *testing.T, w *world) { w.twoRuns(t) })
	then("side by side", func(t *testing.T, w *world) {
		t.Run("another environment on this machine is none of its business", func(t *testing.T) {
			t.Parallel()
			w.in(t).twoEnvironments(t)
		})
		t.Run("package kube dials pods on real nodes", func(t *testing.T) {
			t.Parallel()
			w.in(t).dialledPods(t)
		})
	})
	then("a folder dropped in is checked, applied, changed and pruned", func(t *testing.T, w *world) { w.droppedIn(t) })
	then("each deleted Vault pod is unsealed again within ten seconds of running", func(t *testing.T, w *world) { w.deletedPod(t, cluster) })
	then("a change to Vault's pods replaces them, one at a time", func(t *testing.T, w *world) { w.rolledVault(t, cluster) })
	then("a killed node comes back with its volumes", func(t *testing.T, w *world) { w.killedNode(t, cluster) })
	then("the certificate at the way in is Vault's, and renewed", func(t *testing.T, w *world) { w.certificateFromVault(t) })
	then("no secret is anywhere outside its sealed form", func(t *testing.T, w *world) { w.canary(t) })
	then("destroy leaves only the bucket", func(t *testing.T, w *world) {
		shows(t, left(t))
		w.must(3*time.Minute, "destroy", w.name, "--yes")
		nothing(t, left(t))
		for _, name := range names(t, w.state) {
			if name != "s3" && name != "reservation.json" {
				t.Errorf("destroy left %s", name)
			}
		}
		if !slices.Contains(names(t, w.state), "s3") {
			t.Error("the bucket's data is gone too")
		}
	})
	then("destroy --purge leaves nothing", func(t *testing.T, w *world) {
		w.must(3*time.Minute, "destroy", w.name, "--yes", "--purge")
		nothing(t, left(t))
		if _, err := os.Stat(w.state); !os.IsNotExist(err) {
			t.Errorf("%s is still there", w.state)
		}
		for _, name := range names(t, w.terraform()) {
			t.Errorf("Terraform's folder %s is still there", name)
		}
	})
}

// names lists a folder.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	all := []string{}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}
