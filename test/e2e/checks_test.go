// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/kube"
)

// get asks an HTTPS API inside a pod. Certificates are the program's concern and
// have tests of their own; here only the answer counts.
func get(t *testing.T, c *kube.Cluster, namespace, pod string, port int, path, token string, into any) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{
		DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return c.Dial(ctx, namespace, pod, port) },
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+pod+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("X-Consul-Token", token)
	}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatalf("%s of %s: %v", path, pod, err)
	}
	defer func() { _ = answer.Body.Close() }()
	if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
		t.Fatalf("%s of %s: %s: %v", path, pod, answer.Status, err)
	}
}

func (w *world) consulQuorum(t *testing.T, c *kube.Cluster) {
	token := w.token(t, "consul/bootstrap")
	var raft struct {
		Servers []struct {
			Node          string
			Leader, Voter bool
		}
	}
	get(t, c, "consul", "consul-server-0", 8501, "/v1/operator/raft/configuration", token, &raft)
	voters, leaders := 0, 0
	for _, s := range raft.Servers {
		if s.Voter {
			voters++
		}
		if s.Leader {
			leaders++
		}
	}
	if voters != 3 || leaders != 1 {
		t.Errorf("%d voters and %d leaders: %+v", voters, leaders, raft.Servers)
	}
}

func (w *world) vaultUnsealed(t *testing.T, c *kube.Cluster) {
	active := 0
	for i := range 3 {
		var status struct{ Initialized, Sealed, Standby bool }
		get(t, c, "vault", fmt.Sprintf("vault-%d", i), 8200, "/v1/sys/health?standbyok=true&sealedcode=200", "", &status)
		if !status.Initialized || status.Sealed {
			t.Errorf("vault-%d: %+v", i, status)
		}
		if !status.Standby {
			active++
		}
	}
	if active != 1 {
		t.Errorf("%d active replicas", active)
	}
}

// podUsesVault runs a Job that logs in with its ServiceAccount and writes and
// reads a secret with nothing but the vault command.
func (w *world) podUsesVault(t *testing.T) {
	manifest, err := os.ReadFile("testdata/demo.yaml")
	if err != nil {
		t.Fatal(err)
	}
	w.kubectl("", "create", "namespace", "demo")
	w.kubectl(w.public(t, "vault/ca"), "-n", "demo", "create", "configmap", "vault-ca", "--from-file=ca.crt=/dev/stdin")
	w.kubectl(string(manifest), "apply", "-f", "-")
	w.kubectl("", "-n", "demo", "wait", "--for=condition=complete", "job/demo", "--timeout=90s")
	if log := w.kubectl("", "-n", "demo", "logs", "job/demo"); !strings.Contains(log, "read back: hello from demo") {
		t.Errorf("the pod's log: %s", log)
	}
	w.kubectl("", "delete", "namespace", "demo", "--wait=false")
}

// secondRun proves that nothing is written: every object that clusterup made has
// the resource version that it had before.
func (w *world) secondRun(t *testing.T) {
	before := w.versions()
	again := w.must(time.Minute, "create", w.name)
	if !strings.Contains(again.out, "nothing to do") {
		t.Errorf("it says %q", again.out)
	}
	if most := 3 * time.Second; again.took > most { // something else may have used the machine
		if third := w.must(time.Minute, "create", w.name); third.took > most {
			t.Errorf("it took %s and then %s, more than %s", again.took, third.took, most)
		}
	}
	if after := w.versions(); after != before {
		t.Errorf("objects changed:\n%s\nthen\n%s", before, after)
	}
}

// versions lists the objects of the release; workloads' status moves by itself,
// so of those the generation counts.
func (w *world) versions() string {
	const fixed = "configmaps,secrets,serviceaccounts,services,roles,rolebindings,namespaces"
	return w.kubectl("", "get", fixed, "-A", "-l", "app.kubernetes.io/managed-by=clusterup", "-o",
		`jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.resourceVersion}{"\n"}{end}`) +
		w.kubectl("", "get", "statefulsets,poddisruptionbudgets", "-A", "-l", "app.kubernetes.io/managed-by=clusterup", "-o",
			`jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.generation}{"\n"}{end}`)
}

func (w *world) handEdit(t *testing.T) {
	w.kubectl("", "-n", "consul", "patch", "poddisruptionbudget", "consul-server", "--type=merge", "-p", `{"spec":{"maxUnavailable":2}}`)
	diff := w.run(time.Minute, "diff", w.name)
	if diff.code != 2 {
		t.Errorf("diff ended with %d, want 2", diff.code)
	}
	for _, want := range []string{"PodDisruptionBudget", "spec.maxUnavailable: 2 → 1", "kubectl-patch"} {
		if !strings.Contains(diff.out, want) {
			t.Errorf("diff does not say %q:\n%s", want, diff.out)
		}
	}
	w.must(time.Minute, "reconcile", w.name)
	w.must(time.Minute, "diff", w.name)
}

// reserved is what the environment holds of the machine.
func (w *world) reserved(t *testing.T) (bridge, subnet string) {
	t.Helper()
	var r struct{ Bridge, Subnet string }
	data, err := os.ReadFile(filepath.Join(w.state, "reservation.json"))
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r.Bridge, r.Subnet
}
