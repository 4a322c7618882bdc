// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// requests are what the API server says that it was asked: "LIST configmaps" → how
// often, since it began.
func requests(t *testing.T, c *Cluster) map[string]int {
	t.Helper()
	raw, err := c.ask(t.Context(), "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	label := regexp.MustCompile(`(\w+)="([^"]*)"`)
	counts := make(map[string]int)
	for line := range strings.Lines(string(raw)) {
		if !strings.HasPrefix(line, "apiserver_request_total{") {
			continue
		}
		labels := make(map[string]string)
		for _, m := range label.FindAllStringSubmatch(line, -1) {
			labels[m[1]] = m[2]
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndex(line, " "):]), 64)
		if err != nil {
			t.Fatal(err)
		}
		if verb := labels["verb"]; verb == "APPLY" || verb == "LIST" || verb == "GET" {
			counts[verb+" "+labels["resource"]] += int(value)
		}
	}
	return counts
}

// asked is what do made the server answer about these resources.
func asked(t *testing.T, c *Cluster, do func(), resources ...string) map[string]int {
	t.Helper()
	before := requests(t, c)
	do()
	after := requests(t, c)
	maps.DeleteFunc(after, func(name string, _ int) bool {
		_, resource, _ := strings.Cut(name, " ")
		for _, r := range resources {
			if r == resource {
				return after[name] == before[name]
			}
		}
		return true
	})
	for name := range after {
		after[name] -= before[name]
	}
	return after
}

// crowd is a namespace with n ConfigMaps and n Services.
func crowd(t *testing.T, namespace string, n int) []*unstructured.Unstructured {
	t.Helper()
	objs := parse(t, namespace, small)[:1]
	for i := range n {
		objs = append(objs, parse(t, namespace, fmt.Sprintf(`apiVersion: v1
kind: ConfigMap
metadata: {name: c%d, namespace: NS, labels: {clusterup.dev/environment: test}}
data: {level: info}
---
apiVersion: v1
kind: Service
metadata: {name: s%d, namespace: NS, labels: {clusterup.dev/environment: test}}
spec: {selector: {app: web}, ports: [{name: http, port: 80, protocol: TCP, targetPort: 8080}]}`, i, i))...)
	}
	return objs
}

// TestObservedRequests proves, by what the API server itself counts, that a plan asks
// a few times a kind and not once an object: when nothing has happened, when
// one object has drifted, and when a status has moved everywhere.
func TestObservedRequests(t *testing.T) {
	c, err := Connect(Config{Kubeconfig: testKubeconfig(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	kinds := []string{"namespaces", "configmaps", "services"}
	for _, n := range []int{50, 500} {
		namespace := fmt.Sprintf("crowd-%d", n)
		objs := crowd(t, namespace, n)
		seen := applyObserved(t, c, objs)
		plan := func(want string) func() {
			return func() {
				seen = seen.again()
				p, err := c.Plan(t.Context(), objs, Options{Observed: seen})
				if err != nil || lines(p) != want {
					t.Errorf("%d objects: %v, got\n%s\nwant\n%s", n, err, lines(p), want)
				}
			}
		}
		expect := func(what string, got map[string]int, want string) {
			if fmt.Sprint(got) != want {
				t.Errorf("%d objects, %s: %v, want %s", n, what, got, want)
			}
		}
		expect("nothing to do", asked(t, c, plan(""), kinds...), "map[GET namespaces:1 LIST configmaps:1 LIST services:1]")

		expect("whether all is ready", asked(t, c, func() {
			if pending, err := c.Pending(t.Context(), objs, WaitOptions{}); err != nil || len(pending) > 0 {
				t.Errorf("%v, pending %v", err, pending)
			}
		}, kinds...), "map[GET namespaces:1 LIST services:1]")

		edit(t, c, Ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: "c7"}, "kubectl-edit", `{"data":{"level":"debug"}}`)
		drift := "update ConfigMap " + namespace + "/c7\n  data.level: debug -> info (kubectl-edit)\n"
		expect("one drifted", asked(t, c, plan(drift), kinds...), "map[APPLY configmaps:2 GET configmaps:1 GET namespaces:1 LIST configmaps:1 LIST services:1]")
		mustApply(t, c, objs)

		for i := range n {
			edit(t, c, Ref{APIVersion: "v1", Kind: "Service", Namespace: namespace, Name: fmt.Sprintf("s%d", i)}, "somebody", `{"metadata":{"annotations":{"seen":"yes"}}}`)
		}
		got := asked(t, c, plan(""), kinds...)
		if got["APPLY services"] != 0 || got["GET services"] != 0 || got["LIST services"] != 2 {
			t.Errorf("%d objects, written to by others: %v", n, got)
		}
		expect("and looked at again", asked(t, c, plan(""), kinds...), "map[GET namespaces:1 LIST configmaps:1 LIST services:1]")
	}
}

// TestObservedRules proves that a rule which changes what is applied makes its object
// be looked at again, and so does another definition of a custom kind.
func TestObservedRules(t *testing.T) {
	c, err := Connect(Config{Kubeconfig: testKubeconfig(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	objs := parse(t, "ruled", small+"---\n"+crdAndObjects)[:9]
	seen := applyObserved(t, c, objs)
	plan := func(options Options) func() {
		return func() {
			options.Observed = seen.again()
			p, err := c.Plan(t.Context(), objs, options)
			if err != nil || !p.Empty() {
				t.Errorf("%v\n%s", err, lines(p))
			}
			seen = options.Observed
		}
	}
	plan(Options{})() // the server writes quantities in its own way: that is asked for once
	kinds := []string{"configmaps", "services", "deployments", "widgets"}
	if got := asked(t, c, plan(Options{}), kinds...); got["APPLY configmaps"]+got["APPLY widgets"]+got["APPLY deployments"] != 0 {
		t.Errorf("nothing to do, and asked %v", got)
	}
	ignoring := Options{Ignore: func(r Ref) []string {
		if r.Name == "settings" {
			return []string{"data.nothing"}
		}
		return nil
	}}
	if got := asked(t, c, plan(ignoring), kinds...); got["APPLY configmaps"] != 1 {
		t.Errorf("with another rule, asked %v", got)
	}
	changed := strings.Replace(crdAndObjects, "{size: {type: integer}}", "{size: {type: integer}, shape: {type: string}}", 1)
	edited := parse(t, "ruled", changed)
	objs[8] = edited[2]
	other, err := c.Plan(t.Context(), edited[2:3], Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Apply(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if got := asked(t, c, plan(ignoring), kinds...); got["APPLY widgets"] != 2 {
		t.Errorf("with another definition, asked %v", got)
	}
	if got := asked(t, c, plan(ignoring), kinds...); got["APPLY widgets"] != 0 {
		t.Errorf("and again: %v", got)
	}
}
