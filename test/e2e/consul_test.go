// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/kube"
)

// consulEnvironment is three nodes with Consul, and with a Vault that keeps its
// data in it through agents.
const consulEnvironment = `apiVersion: clusterup.dev/v1alpha1
kind: Environment
metadata: {name: consul}
spec:
  development: true
  custodian: me
  cluster:
    terraform: {module: local, variables: {nodes: 3}}
  operators:
    - {name: me, self: true}
  addons:
    - name: consul
      values: {logLevel: info, backup: {schedule: "@monthly"}}
    - name: vault
      values:
        threshold: 2
        holders: [{operator: me, shares: 3}]
        roles:
          - {name: demo, serviceAccounts: [demo], namespaces: [demo], policies: [app]}
          - {name: configured, serviceAccounts: [configured], namespaces: [configured], policies: [app]}
`

// TestConsul is the life of one Consul: used by applications, changed while one
// writes to it, robbed of a node, its secrets made anew, and brought back from a
// snapshot of before.
func TestConsul(t *testing.T) {
	outer := newWorld(t, "consul", consulEnvironment)
	then := func(what string, do func(t *testing.T, w *world)) {
		t.Helper()
		t.Run(what, func(t *testing.T) { do(t, outer.in(t)) })
	}
	outer.must(10*time.Minute, "create", outer.name, "--yes")
	cluster := outer.cluster()
	then("its servers are on three nodes, and well", func(t *testing.T, w *world) { w.consulWell(t, cluster) })
	then("a pod finds the servers by name", func(t *testing.T, w *world) { w.podFindsConsul(t, cluster) })
	then("an edited Corefile is put right, and no more of it", func(t *testing.T, w *world) { w.corefileDrift(t) })
	then("an application has its configuration from Consul and its password from Vault", func(t *testing.T, w *world) { w.configuredApp(t, cluster) })
	then("a changed value restarts one server at a time", func(t *testing.T, w *world) { w.consulRollout(t, cluster) })
	then("the loss of the leader's node", func(t *testing.T, w *world) { w.consulLoss(t, cluster) })
	then("a snapshot is taken by the cluster and restored", func(t *testing.T, w *world) { w.consulBackup(t) })
	then("gossip key, certificates, CA and management token are rotated", func(t *testing.T, w *world) { w.consulRotation(t, cluster) })
	then("a snapshot of before the rotation is brought up to date", func(t *testing.T, w *world) { w.restoredAcross(t, cluster) })
	then("no secret is anywhere outside its sealed form", func(t *testing.T, w *world) { w.canary(t) })
	outer.must(3*time.Minute, "destroy", outer.name, "--yes", "--purge")
}

// consulWell looks at everything from outside, and with `consul status`.
func (w *world) consulWell(t *testing.T, c *kube.Cluster) {
	w.consulQuorum(t, c)
	status := w.must(time.Minute, "consul", "status", w.name)
	for _, want := range []string{"3 of 3, 1 may fail", "consul-server-0", "leader", "voter", "alive", "current"} {
		if !strings.Contains(status.out, want) {
			t.Errorf("consul status does not say %q", want)
		}
	}
	nodes := strings.Fields(w.kubectl("", "-n", "consul", "get", "pods", "-l", "app.kubernetes.io/component=server", "-o", "jsonpath={.items[*].spec.nodeName}"))
	if slices.Sort(nodes); len(nodes) != 3 || len(slices.Compact(nodes)) != 3 {
		t.Errorf("the servers are on %v", nodes)
	}
}

// consulRollout changes a value while a client writes.
func (w *world) consulRollout(t *testing.T, c *kube.Cluster) {
	file, err := os.ReadFile(filepath.Join(w.dir, "environments", w.name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	w.rewrite(t, strings.Replace(string(file), "logLevel: info", "logLevel: warn", 1))
	leader := w.consulLeader(t, c)
	m := w.measure(t, c)
	w.must(10*time.Minute, "create", w.name, "--yes")
	m.stop(t, "rollout", 1)
	born := strings.Fields(w.kubectl("", "-n", "consul", "get", "pods", "-l", "app.kubernetes.io/component=server", "--sort-by=.metadata.creationTimestamp", "-o", "jsonpath={.items[*].metadata.name}"))
	if len(born) != 3 || born[2] != leader {
		t.Errorf("pods by age: %v; the leader was %s", born, leader)
	}
	w.consulWell(t, c)
	if again := w.must(time.Minute, "create", w.name); !strings.Contains(again.out, "nothing to do") {
		t.Errorf("the run after says %q", again.out)
	}
}

// consulLoss kills the node of the leader while a client writes; reconcile brings
// it back.
func (w *world) consulLoss(t *testing.T, c *kube.Cluster) {
	leader, node := w.leaderOffControlPlane(t, c)
	m := w.measure(t, c)
	kill(t, w.nodeProcess(t, node))
	until(t, "another leader", time.Minute, func() bool {
		now := w.run(time.Minute, "consul", "status", w.name)
		fields := strings.Fields(now.out) // "leader", its name, ...
		return now.code == 3 && len(fields) > 1 && fields[1] != leader && fields[1] != "-" && strings.Contains(now.out, leader+" (since ")
	})
	before := m.writer.Acknowledged()
	until(t, "a hundred more writes", time.Minute, func() bool { return m.writer.Acknowledged() >= before+100 })
	m.stop(t, "the loss of the leader's node", 1)
	w.must(6*time.Minute, "reconcile", w.name)
	w.consulWell(t, c)
}

// leaderOffControlPlane hands the lead over until it is on a node that can be lost
// without the API server.
func (w *world) leaderOffControlPlane(t *testing.T, c *kube.Cluster) (leader, node string) {
	t.Helper()
	until(t, "a leader beside the control plane", time.Minute, func() bool {
		leader = w.consulLeader(t, c)
		node = strings.TrimSpace(w.kubectl("", "-n", "consul", "get", "pod", leader, "-o", "jsonpath={.spec.nodeName}"))
		if node != w.name+"-1" {
			return true
		}
		w.ask(t, c, "consul", "consul-server-0", 8501, request{
			method: http.MethodPost, path: "/v1/operator/raft/transfer-leader", tls: true, headers: map[string]string{"X-Consul-Token": w.token(t, "consul/bootstrap")},
		})
		return false
	})
	return leader, node
}

func (w *world) consulLeader(t *testing.T, c *kube.Cluster) string {
	t.Helper()
	var raft struct {
		Servers []struct {
			Node   string
			Leader bool
		}
	}
	get(t, c, "consul", "consul-server-0", 8501, "/v1/operator/raft/configuration", w.token(t, "consul/bootstrap"), &raft)
	for _, s := range raft.Servers {
		if s.Leader {
			return s.Node
		}
	}
	t.Fatalf("nobody leads: %+v", raft)
	return ""
}
