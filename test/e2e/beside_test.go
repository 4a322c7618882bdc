// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// secondFile is a local environment of one node and nothing on it.
const secondFile = `apiVersion: clusterup.dev/v1alpha1
kind: Environment
metadata: {name: e2e-two}
spec:
  development: true
  cluster:
    terraform: {module: local, variables: {nodes: 1}}
  operators:
    - {name: me, self: true}
  addons: []
`

// twoEnvironments makes another environment on this machine and removes it; both
// work side by side, and the first one does not notice.
func (w *world) twoEnvironments(t *testing.T) {
	two := newWorld(t, "e2e-two", secondFile)
	bridge, subnet := w.reserved(t)
	before := lasting(traces(t, w.name, w.state, bridge, subnet))

	if made := two.must(3*time.Minute, "create", two.name, "--yes"); !strings.Contains(made.out, "1 of 1 ready") {
		t.Errorf("the table after create does not say that the node is ready")
	}
	two.kubeconfig()
	otherBridge, otherSubnet := two.reserved(t)
	if otherBridge == bridge || otherSubnet == subnet {
		t.Errorf("both have the bridge %s or the subnet %s", bridge, subnet)
	}
	for who, want := range map[*world]string{w: "node/e2e-1 node/e2e-2 node/e2e-3", two: "node/e2e-two-1"} {
		if nodes := strings.Join(strings.Fields(who.kubectl("", "get", "nodes", "-o", "name")), " "); nodes != want {
			t.Errorf("the nodes of %s are %s, want %s", who.name, nodes, want)
		}
		who.must(time.Minute, "status", who.name)
	}
	two.must(2*time.Minute, "destroy", two.name, "--yes", "--purge")
	nothing(t, traces(t, two.name, two.state, otherBridge, otherSubnet))
	if after := lasting(traces(t, w.name, w.state, bridge, subnet)); !slices.Equal(before, after) {
		t.Errorf("of %s there was\n%s\nand after %s was destroyed\n%s", w.name, strings.Join(before, "\n"), two.name, strings.Join(after, "\n"))
	}
	w.must(time.Minute, "status", w.name)
	w.must(time.Minute, "diff", w.name)
}

// lasting are the traces without processes, which come and go.
func lasting(traces []string) []string {
	return slices.DeleteFunc(traces, func(line string) bool {
		return strings.HasPrefix(line, "process ") || strings.HasPrefix(line, "cgroup: ")
	})
}

// dialledPods runs the test of package kube that needs real nodes.
func (w *world) dialledPods(t *testing.T) {
	const name = "TestDialOnNodes"
	c := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-v", "-run", "^"+name+"$", "./internal/kube")
	c.Dir = "../.."
	c.Env = append(os.Environ(), "CLUSTERUP_TEST_CLUSTER="+w.kubeconfigPath())
	out, err := c.CombinedOutput()
	t.Logf("%s", out)
	if err != nil || !strings.Contains(string(out), "--- PASS: "+name) {
		t.Errorf("%s did not pass: %v", name, err)
	}
}
