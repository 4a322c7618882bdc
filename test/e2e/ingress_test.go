// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/kube"
)

const edgeFile = `apiVersion: clusterup.dev/v1alpha1
kind: Environment
metadata: {name: edge}
spec:
  development: true
  cluster:
    terraform: {module: local, variables: {nodes: 3}}
  operators:
    - {name: me, self: true}
  addons:
    - name: ingress
      values: {service: {type: NodePort}}
`

// Requests may fail for killBound after a controller was killed: until the kubelet
// has seen it and every node has heard of it, or it is up again and knows its routes.
// Where its network went with it, clients wait as long as they care to.
const (
	killBound  = 4 * time.Second
	forceBound = killBound + patience
)

// TestIngress is the way in from outside the nodes: an application behind an
// Ingress and an HTTPRoute, reached by HTTP and by HTTPS that the environment's CA
// vouches for, while controllers are deleted and killed under load; and routes
// that claim the same are named.
func TestIngress(t *testing.T) {
	outer := newWorld(t, "edge", edgeFile)
	made := outer.must(10*time.Minute, "create", outer.name, "--yes")
	if !strings.Contains(made.out, "2 of 2 controllers answering") {
		t.Error("the table after create does not say that the ingress answers")
	}
	cluster := outer.cluster()
	defer cluster.Close()
	demo, err := os.ReadFile("testdata/web.yaml")
	if err != nil {
		t.Fatal(err)
	}
	outer.kubectl(string(demo), "apply", "-f", "-")
	outer.kubectl("", "-n", "web", "rollout", "status", "deployment/web", "--timeout=90s")
	edge := outer.edge(t)
	then := func(what string, do func(t *testing.T, w *world)) {
		t.Helper()
		t.Run(what, func(t *testing.T) { do(t, outer.in(t)) })
	}
	then("deleting every controller loses no request", func(t *testing.T, w *world) { w.deletedControllers(t, cluster, edge) })
	then("a killed controller is felt for a moment", func(t *testing.T, _ *world) { killedController(t, cluster, edge) })
	then("a controller deleted by force is felt for a moment", func(t *testing.T, w *world) { w.forcedController(t, cluster, edge) })
	then("what is claimed twice is named, oldest first", func(t *testing.T, w *world) { w.claimedTwice(t) })
	then("routes are served at no other port", func(t *testing.T, _ *world) { otherPorts(t, cluster) })
	outer.must(3*time.Minute, "destroy", outer.name, "--yes", "--purge")
}

// edge is a load through every way in, which works.
func (w *world) edge(t *testing.T) *load {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(w.kubectl("", "-n", "ingress", "get", "configmap", "ca", "-o", `jsonpath={.data.ca\.crt}`))) {
		t.Fatal("the ConfigMap ca holds no certificate")
	}
	nodes := strings.Fields(w.kubectl("", "get", "nodes", "-o", `jsonpath={.items[*].status.addresses[?(@.type=="InternalIP")].address}`))
	l := newLoad([]string{"ingress.edge.internal", "route.edge.internal"}, nodes, map[string]int{"http": 30080, "https": 30443}, roots)
	until(t, "every way in", time.Minute, func() bool {
		for _, worker := range l.workers {
			if err := worker.request(); err != nil {
				return false
			}
		}
		return true
	})
	return l
}

// controllers are the pods of the controllers: those that stay, and how many go.
func controllers(t *testing.T, c *kube.Cluster) (stay []kube.Pod, going int) {
	t.Helper()
	pods, err := c.Pods(t.Context(), "ingress", "app.kubernetes.io/name=ingress")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pods {
		if p.Deleting {
			going++
		} else {
			stay = append(stay, p)
		}
	}
	return stay, going
}

// twoReady waits until there are two ready controllers beside those that go.
func twoReady(t *testing.T, c *kube.Cluster) []kube.Pod {
	t.Helper()
	var stay []kube.Pod
	until(t, "two ready controllers", 2*time.Minute, func() bool {
		stay, _ = controllers(t, c)
		return len(stay) == 2 && stay[0].Ready && stay[1].Ready
	})
	return stay
}

// settled waits until there are two ready controllers and nobody goes.
func settled(t *testing.T, c *kube.Cluster) []kube.Pod {
	t.Helper()
	until(t, "the old controllers to be gone", 2*time.Minute, func() bool {
		_, going := controllers(t, c)
		return going == 0
	})
	return twoReady(t, c)
}

// deletedControllers deletes one controller after the other, the second as soon as
// the first has a successor, and goes on until both are gone for good.
func (w *world) deletedControllers(t *testing.T, c *kube.Cluster, l *load) {
	all := settled(t, c)
	before := l.requests.Load()
	end := l.run(t.Context())
	defer end()
	for _, pod := range all {
		w.kubectl("", "-n", "ingress", "delete", "pod", pod.Name, "--wait=false")
		twoReady(t, c)
	}
	settled(t, c)
	end()
	failures := l.failed()
	t.Logf("%d requests, %d failed", l.requests.Load()-before, len(failures))
	for _, f := range failures {
		t.Errorf("%s %s", f.at.Format("15:04:05.000"), f.what)
	}
}

// killedController kills the process of a controller on its node.
func killedController(t *testing.T, c *kube.Cluster, l *load) {
	pod := settled(t, c)[0]
	felt(t, c, l, killBound, func() { kill(t, processOf(t, pod.UID, "traefik")) })
	if now := settled(t, c)[0]; now.UID != pod.UID || now.Restarts != 1 {
		t.Errorf("the controller %s was started again %d times, want 1", now.Name, now.Restarts)
	}
}

// forcedController deletes a controller without any grace.
func (w *world) forcedController(t *testing.T, c *kube.Cluster, l *load) {
	pod := settled(t, c)[1]
	felt(t, c, l, forceBound, func() { w.kubectl("", "-n", "ingress", "delete", "pod", "--force", "--grace-period=0", pod.Name) })
}

// felt does harm under load, and expects that requests fail for the bound and no
// longer.
func felt(t *testing.T, c *kube.Cluster, l *load, bound time.Duration, harm func()) {
	t.Helper()
	before := l.requests.Load()
	end := l.run(t.Context())
	defer end()
	start := time.Now()
	harm()
	until(t, "the bound to pass", time.Minute, func() bool { return time.Since(start) > bound })
	settled(t, c)
	end()
	failures := l.failed()
	last := time.Duration(0)
	for _, f := range failures {
		last = max(last, f.at.Sub(start))
		t.Logf("after %s: %s", f.at.Sub(start).Round(time.Millisecond), f.what)
	}
	t.Logf("%d requests, %d failed, the last %s after the harm", l.requests.Load()-before, len(failures), last.Round(time.Millisecond))
	if last > bound {
		t.Errorf("requests failed for %s, want %s at the most", last, bound)
	}
}

// processOf finds a program that runs in a pod, by the group that its node put
// it into.
func processOf(t *testing.T, uid, program string) int {
	t.Helper()
	groups, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range groups {
		group, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(group), uid) && !strings.Contains(string(group), strings.ReplaceAll(uid, "-", "_")) {
			continue
		}
		dir := filepath.Dir(path)
		if name, err := os.ReadFile(filepath.Join(dir, "comm")); err == nil && strings.TrimSpace(string(name)) == program {
			pid, err := strconv.Atoi(filepath.Base(dir))
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	t.Fatalf("no process %s in pod %s", program, uid)
	return 0
}

// claimedTwice adds younger routes that claim the same. That is nobody's failure,
// so diff finds nothing to do and status is healthy; both name it.
func (w *world) claimedTwice(t *testing.T) {
	claims, err := os.ReadFile("testdata/claims.yaml")
	if err != nil {
		t.Fatal(err)
	}
	w.kubectl(string(claims), "apply", "-f", "-")
	for _, command := range []string{"diff", "status"} {
		said := w.must(time.Minute, command, w.name).out
		for _, want := range []string{
			"ingress.edge.internal/ is claimed by Ingress web/web (since ", "and by Ingress web/copy (since ",
			"route.edge.internal/ is claimed by HTTPRoute web/web (since ", "and by HTTPRoute web/copy (since ",
		} {
			if !strings.Contains(said, want) {
				t.Errorf("%s does not say %q", command, want)
			}
		}
	}
	w.kubectl("", "-n", "web", "delete", "ingress/copy", "httproute/copy")
}

// otherPorts asks for the application at the ports of ping and metrics, in the
// cluster: only what belongs there answers.
func otherPorts(t *testing.T, c *kube.Cluster) {
	ip := settled(t, c)[0].IP
	for path, want := range map[string]int{"8080/ping": 200, "9100/metrics": 200, "8080/load": 404, "9100/load": 404} {
		port, path, _ := strings.Cut(path, "/")
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://%s:%s/%s", ip, port, path), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "ingress.edge.internal"
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Error(err)
			continue
		}
		_ = answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s at port %s: %s, want %d", path, port, answer.Status, want)
		}
	}
}
