// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"clusterup.dev/clusterup/internal/testservers"
)

// testKubeconfig is of an API server without controllers and nodes; tests use a
// namespace each.
func testKubeconfig(t *testing.T) string {
	t.Helper()
	return testservers.APIServer(t)
}

// parse reads YAML documents; %s in them is the namespace.
func parse(t *testing.T, namespace, text string) []*unstructured.Unstructured {
	t.Helper()
	var objs []*unstructured.Unstructured
	for _, doc := range strings.Split(strings.ReplaceAll(text, "NS", namespace), "\n---\n") {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(doc), &u.Object); err != nil {
			t.Fatal(err)
		}
		objs = append(objs, u)
	}
	return objs
}

// mustApply plans and applies and gives the plan that was carried out.
func mustApply(t *testing.T, c *Cluster, objs []*unstructured.Unstructured) *Plan {
	t.Helper()
	p := mustPlan(t, c, objs)
	if err := c.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return p
}

func mustPlan(t *testing.T, c *Cluster, objs []*unstructured.Unstructured) *Plan {
	t.Helper()
	p, err := c.Plan(t.Context(), objs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// edit changes a live object as manager would.
func edit(t *testing.T, c *Cluster, r Ref, manager, mergePatch string) {
	t.Helper()
	served, err := c.kinds.resolve(t.Context(), []schema.GroupVersionKind{r.gvk()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.client(served[r.gvk()], r.Namespace).Patch(t.Context(), r.Name, types.MergePatchType, []byte(mergePatch),
		metav1.PatchOptions{FieldManager: manager})
	if err != nil {
		t.Fatal(err)
	}
}

func lines(p *Plan) string {
	var b strings.Builder
	for _, change := range p.Changes() {
		fmt.Fprintf(&b, "%s %s\n", change.Action, change.Subject)
		for _, f := range change.Fields {
			manager, _, _ := strings.Cut(f.Manager, " at ")
			fmt.Fprintf(&b, "  %s: %s -> %s (%s)\n", f.Path, f.Old, f.New, manager)
		}
	}
	return b.String()
}

const small = `apiVersion: v1
kind: Namespace
metadata: {name: NS, labels: {clusterup.dev/environment: test}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: NS, labels: {clusterup.dev/environment: test}}
data: {level: info, "a.conf": "x"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: more, namespace: NS, labels: {clusterup.dev/environment: test}}
data: {one: "1"}
---
apiVersion: v1
kind: Secret
metadata: {name: token, namespace: NS, labels: {clusterup.dev/environment: test}}
stringData: {token: correct-horse, other: battery-staple}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: NS, labels: {clusterup.dev/environment: test}}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NS, labels: {clusterup.dev/environment: test}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: example.com/web:1.0
        args: [serve, --now]
        ports: [{containerPort: 8080}]
        resources: {requests: {cpu: 1000m, memory: 64Mi}}
`

func timed(t *testing.T, what string) func() {
	start := time.Now()
	return func() { t.Logf("%s took %s", what, time.Since(start).Round(time.Millisecond)) }
}
