// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// nodeCluster is a cluster with nodes, named by its kubeconfig: what kubelets,
// controllers and the scheduler say cannot be played.
func nodeCluster(t *testing.T) *Cluster {
	t.Helper()
	path := os.Getenv("CLUSTERUP_TEST_CLUSTER")
	if path == "" {
		t.Skip("CLUSTERUP_TEST_CLUSTER names no kubeconfig of a cluster with nodes")
	}
	c, err := Connect(Config{Kubeconfig: path})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// onNodes applies text in a namespace of its own, which is deleted with the test.
func onNodes(t *testing.T, c *Cluster, namespace, text string) []*unstructured.Unstructured {
	t.Helper()
	objs := parse(t, namespace, "apiVersion: v1\nkind: Namespace\nmetadata: {name: NS}\n---\n"+text)
	mustApply(t, c, objs)
	t.Cleanup(func() {
		start := time.Now()
		if err := c.Delete(context.WithoutCancel(t.Context()), refsOf(objs), DeleteOptions{Wait: 2 * time.Minute}); err != nil {
			t.Error(err)
		}
		t.Logf("deleting took %s", time.Since(start).Round(time.Millisecond))
	})
	return objs
}

func TestDialOnNodes(t *testing.T) {
	c := nodeCluster(t)
	objs := onNodes(t, c, "kube-dial", `apiVersion: v1
kind: Pod
metadata: {name: consul, namespace: NS}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: consul
    image: docker.io/hashicorp/consul:1.22.5
    command: [/bin/consul, agent, -dev, -client=0.0.0.0]
    readinessProbe: {httpGet: {port: 8500, path: /v1/status/leader}, periodSeconds: 1}`)
	if err := c.Wait(t.Context(), objs, WaitOptions{Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return c.Dial(ctx, "kube-dial", "consul", 8500)
		},
	}}
	for range 4 {
		start := time.Now()
		answer, err := client.Get("http://consul/v1/status/leader")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		t.Logf("%s %s after %s", answer.Status, body, time.Since(start).Round(100*time.Microsecond))
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Errorf("%s, %v", answer.Status, err)
		}
	}
	for range 4 {
		start := time.Now()
		conn, err := c.Dial(t.Context(), "kube-dial", "consul", 8500)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("a dial took %s", time.Since(start).Round(100*time.Microsecond))
		_ = conn.Close()
	}
	conn, err := c.Dial(t.Context(), "kube-dial", "consul", 81)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("error %v, want connection refused", err)
	}
	if _, err := c.Dial(t.Context(), "kube-dial", "nobody", 81); err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("error %v, want that there is no such pod", err)
	}
	if again := mustPlan(t, c, objs); !again.Empty() {
		t.Errorf("a running pod differs:\n%s", lines(again))
	}
}

func TestWaitOnNodesEndsWithTheCause(t *testing.T) {
	c := nodeCluster(t)
	deployment := func(spec string) string {
		return `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NS}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
` + spec
	}
	for _, test := range []struct{ name, text, want string }{
		{
			"crash", deployment(`      containers: [{name: web, image: "docker.io/hashicorp/consul:1.22.5", command: [/bin/consul, agent, -nonsense]}]`),
			"crash: exit code 1, ",
		},
		{
			"config", deployment(`      containers: [{name: web, image: "docker.io/hashicorp/consul:1.22.5", envFrom: [{secretRef: {name: absent}}]}]`),
			`container configuration: secret "absent" not found`,
		},
		{
			"schedule", deployment(`      containers: [{name: web, image: "docker.io/hashicorp/consul:1.22.5", resources: {requests: {cpu: "1000"}}}]`),
			"Insufficient cpu",
		},
		{"image", deployment(`      containers: [{name: web, image: "Example.com/No Such"}]`), "bad image name"},
		{"absent", deployment(`      containers: [{name: web, image: "registry.invalid/none:1"}]`), "image pull"},
		{"quota", "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: none, namespace: NS}\nspec: {hard: {pods: 0}}\n---\n" +
			deployment(`      containers: [{name: web, image: "docker.io/hashicorp/consul:1.22.5"}]`), "exceeded quota: none"},
		{
			"volume", deployment(`      containers: [{name: web, image: "docker.io/hashicorp/consul:1.22.5"}]
      volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]`) + "\n---\n" + `apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: NS}
spec: {storageClassName: nowhere, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}`,
			`storageclass.storage.k8s.io "nowhere" not found`,
		},
		{
			"job", `apiVersion: batch/v1
kind: Job
metadata: {name: web, namespace: NS}
spec:
  backoffLimit: 0
  template: {spec: {restartPolicy: Never, containers: [{name: web, image: "docker.io/hashicorp/consul:1.22.5", command: [/bin/consul, nonsense]}]}}`,
			"failed: Job has reached the specified backoff limit",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			objs := onNodes(t, c, "kube-cause-"+test.name, test.text)
			start := time.Now()
			err := c.Wait(t.Context(), objs, WaitOptions{Timeout: 4 * time.Minute})
			t.Logf("after %s: %v", time.Since(start).Round(100*time.Millisecond), err)
			var ended *NotReadyError
			if !errors.As(err, &ended) || ended.TimedOut || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want an early end with %q", err, test.want)
			}
		})
	}
}
