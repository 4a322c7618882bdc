// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// webhookGate proves that an add-on is ready only when the API server can call its
// webhooks: the server's words are told until a webhook comes up, each webhook is
// asked by a dry-run that it intercepts, a denial is an answer too, and it
// costs one such request a webhook when there is nothing to wait for.
func webhookGate(t *testing.T, c *Cluster) {
	server := newWebhookServer(t)
	objs := parseHooks(t, "gate", small+server.webhooks("Validating", "gate",
		"own allow rules: [{apiGroups: [''], apiVersions: [v1], resources: [configmaps], operations: [CREATE, UPDATE]}], objectSelector: {matchLabels: {gated: 'yes'}}",
		"made deny rules: [{apiGroups: [''], apiVersions: [v1], resources: [services], operations: [CREATE]}], namespaceSelector: {matchLabels: {clusterup.dev/environment: gated}}",
		"pods allow rules: [{apiGroups: [''], apiVersions: [v1], resources: [pods], operations: [CREATE]}], namespaceSelector: {matchLabels: {clusterup.dev/environment: gated}}, "+
			"objectSelector: {matchExpressions: [{key: team, operator: In, values: [one, two]}, {key: other, operator: DoesNotExist}]}",
	)+server.webhooks("Mutating", "gate",
		"names allow rules: [{apiGroups: [''], apiVersions: [v1], resources: [namespaces], operations: [CREATE]}], namespaceSelector: {matchLabels: {clusterup.dev/environment: elsewhere}}",
	))
	objs[0].SetLabels(map[string]string{"clusterup.dev/environment": "gated"})
	objs[1].SetLabels(map[string]string{"clusterup.dev/environment": "test", "gated": "yes"})
	mustApply(t, c, objs)
	options := WaitOptions{Skip: skipping("Deployment/web"), Timeout: 20 * time.Second}

	var pending []Pending
	var err error
	soon(t, "the server to see four webhooks", func() bool {
		pending, err = c.Pending(t.Context(), objs, options)
		return err != nil || len(pending) == 4
	})
	if err != nil || len(pending) != 4 {
		t.Fatalf("pending %+v, %v", pending, err)
	}
	if p := pending[0]; p.Subject != "ValidatingWebhookConfiguration gate" || !strings.HasPrefix(p.Reason, "webhook own.clusterup.dev does not answer: ") || !strings.Contains(p.Reason, "connection refused") {
		t.Errorf("pending %+v", p)
	}
	short := options
	short.Timeout = 1500 * time.Millisecond
	var late *NotReadyError
	if err := c.Wait(t.Context(), objs, short); !errors.As(err, &late) || !late.TimedOut || len(late.Pending) != 4 {
		t.Errorf("error %v, want a timeout that names the webhooks", err)
	}

	var up time.Time
	waiting := onProgress(t, "does not answer", func() {
		up = time.Now()
		server.start(t)
	})
	if err := c.Wait(waiting, objs, options); err != nil {
		t.Fatal(err)
	}
	if seen := time.Since(up); seen > 3*time.Second {
		t.Errorf("it was seen %s after it came up", seen)
	}
	server.seen()
	if pending, err := c.Pending(t.Context(), objs, options); err != nil || len(pending) != 0 {
		t.Errorf("pending %+v, %v", pending, err)
	}
	want := []string{
		"made CREATE Service gate/clusterup-canary dry=true",
		"names CREATE Namespace clusterup-canary/clusterup-canary dry=true",
		"own UPDATE ConfigMap gate/settings dry=true",
		"pods CREATE Pod gate/clusterup-canary dry=true",
	}
	if diff := cmp.Diff(want, server.seen()); diff != "" {
		t.Error(diff)
	}
	dropWebhooks(t, c, "gate")
}

// dropWebhooks removes what would stand in the way of other tests.
func dropWebhooks(t *testing.T, c *Cluster, name string) {
	t.Helper()
	err := c.Delete(t.Context(), []Ref{
		{APIVersion: "admissionregistration.k8s.io/v1", Kind: "ValidatingWebhookConfiguration", Name: name},
		{APIVersion: "admissionregistration.k8s.io/v1", Kind: "MutatingWebhookConfiguration", Name: name},
	}, DeleteOptions{Wait: 10 * time.Second})
	if err != nil {
		t.Error(err)
	}
}

// gateByEndpoints proves that where no request tells whether a webhook can be called,
// because failures are ignored, its Service has to have a ready endpoint.
func gateByEndpoints(t *testing.T, c *Cluster) {
	objs := parse(t, "open", small+`
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: open}
webhooks:
- name: open.clusterup.dev
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Ignore
  rules: [{apiGroups: ['apps'], apiVersions: [v1], resources: [daemonsets], operations: [CREATE]}]
  clientConfig: {service: {name: web, namespace: NS}}
`)
	mustApply(t, c, objs)
	options := WaitOptions{Skip: skipping("Deployment/web")}
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: "web-1", Labels: map[string]string{"kubernetes.io/service-name": "web"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}, Conditions: discoveryv1.EndpointConditions{Ready: new(false)}}},
	}
	slice, err := c.typed.DiscoveryV1().EndpointSlices("open").Create(t.Context(), slice, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pending, err := c.Pending(t.Context(), objs, options)
	if err != nil || len(pending) != 1 || pending[0].Reason != "webhook open.clusterup.dev does not answer: Service open/web has no ready endpoint" {
		t.Errorf("pending %+v, %v", pending, err)
	}
	slice.Endpoints[0].Conditions.Ready = new(true)
	if _, err := c.typed.DiscoveryV1().EndpointSlices("open").Update(t.Context(), slice, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if pending, err := c.Pending(t.Context(), objs, options); err != nil || len(pending) != 0 {
		t.Errorf("pending %+v, %v", pending, err)
	}
	options.Skip = skipping("Deployment/web", "MutatingWebhookConfiguration/open")
	if calls, err := c.calls(objs, options); err != nil || len(calls) != 0 {
		t.Errorf("skipped, but %d calls, %v", len(calls), err)
	}
}

// gateOfConversion proves it for the webhook that converts between versions.
func gateOfConversion(t *testing.T, c *Cluster) {
	server := newWebhookServer(t)
	schema := "\n    schema:\n      openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}"
	text := strings.Replace(kind("converted.clusterup.dev", "{size: {type: integer}}", "{size: 3}"),
		"  versions:\n", "  conversion: {strategy: Webhook, webhook: {conversionReviewVersions: [v1], clientConfig: {url: 'https://"+server.address+"/convert', caBundle: @CA}}}\n"+
			"  versions:\n  - name: v2\n    served: true\n    storage: false"+schema+"\n", 1)
	objs := parseHooks(t, "converted", text)
	mustApply(t, c, objs)
	options := WaitOptions{Skip: skipping("Widget/one", "Widget/two"), Timeout: 20 * time.Second}
	pending, err := c.Pending(t.Context(), objs, options)
	if err != nil || len(pending) != 1 || !strings.HasPrefix(pending[0].Reason, "conversion webhook for v2 does not answer: ") || !strings.Contains(pending[0].Reason, "connection refused") {
		t.Errorf("pending %+v, %v", pending, err)
	}
	waiting := onProgress(t, "conversion webhook for v2 does not answer", func() { server.start(t) })
	if err := c.Wait(waiting, objs, options); err != nil {
		t.Error(err)
	}
}

// agent is ready only once there is an object of the kind that others' webhooks check.
const agent = `
---
apiVersion: v1
kind: Service
metadata: {name: agent, namespace: NS}
spec: {selector: {app: agent}, ports: [{port: 443}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: agent, namespace: NS}
spec:
  selector: {matchLabels: {app: agent}}
  template: {metadata: {labels: {app: agent}}, spec: {containers: [{name: agent, image: "example.com/agent:1"}]}}
`

// ownWebhook proves that a custom resource which a webhook of the same set is called for
// goes last: after the workload that serves the webhook is ready, and after the webhook
// answers; that the deadline of the add-on's readiness bounds this; and that webhooks
// which are called for other kinds, or may fail, are not waited for, nor what serves them.
func ownWebhook(t *testing.T, c *Cluster) {
	server := newWebhookServer(t)
	probed := strings.Replace(small, "        args:", "        readinessProbe: {tcpSocket: {port: 8080}}\n        args:", 1)
	text := probed + "\n---\n" + strings.SplitAfter(kind("guarded.clusterup.dev", "{size: {type: integer}}", "{size: 3}"), "---\napiVersion: v1\n")[0]
	text = strings.TrimSuffix(text, "---\napiVersion: v1\n") + server.webhooks("Validating", "guarded",
		"widgets allow rules: [{apiGroups: [guarded.clusterup.dev], apiVersions: [v1], resources: [widgets], operations: ['*']}]",
		"never allow matchConditions: [{name: never, expression: 'false'}], rules: [{apiGroups: [guarded.clusterup.dev], apiVersions: [v1], resources: [widgets], operations: ['*']}]",
		"open allow failurePolicy: Ignore, rules: [{apiGroups: ['*'], apiVersions: ['*'], resources: [widgets], operations: ['*']}]",
		"other allow rules: [{apiGroups: [''], apiVersions: [v1], resources: [pods], operations: [CREATE]}], namespaceSelector: {matchLabels: {clusterup.dev/environment: nowhere}}",
	) + agent
	served := func(webhook, by string) {
		text = strings.Replace(text, "clientConfig: {url: \"https://"+server.address+"/allow/"+webhook+"\", caBundle: @CA}", "clientConfig: {service: {name: "+by+", namespace: NS}}", 1)
	}
	served("never", "web")
	served("open", "agent")
	served("other", "agent")
	objs := parseHooks(t, "guarded", text)
	widget := Ref{APIVersion: "guarded.clusterup.dev/v1", Kind: "Widget", Namespace: "guarded", Name: "one"}
	apply := func(ctx context.Context, timeout time.Duration) error {
		p, err := c.Plan(t.Context(), objs, Options{Wait: WaitOptions{Timeout: timeout}})
		if err != nil {
			t.Fatal(err)
		}
		return c.Apply(ctx, p)
	}
	err := apply(t.Context(), 700*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "before the custom resources that its webhooks check: not ready after 1s: Deployment guarded/web: ") {
		t.Errorf("error %v", err)
	}
	writeStatus(t, c, web("guarded"), `{"status":{"observedGeneration":1,"replicas":2,"updatedReplicas":2,"readyReplicas":2,"availableReplicas":2,
		"conditions":[{"type":"Available","status":"True"},{"type":"Progressing","status":"True","reason":"NewReplicaSetAvailable"}]}}`)
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: "web-1", Labels: map[string]string{"kubernetes.io/service-name": "web"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}}},
	}
	if _, err := c.typed.DiscoveryV1().EndpointSlices("guarded").Create(t.Context(), slice, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := apply(t.Context(), 2*time.Second); err == nil || !strings.Contains(err.Error(), "webhook widgets.clusterup.dev does not answer: ") {
		t.Errorf("error %v", err)
	}
	if u, err := c.Get(t.Context(), widget); err != nil || u != nil {
		t.Fatalf("it was applied before its webhook answers: %v, %v", u, err)
	}
	waiting := onProgress(t, "webhook widgets.clusterup.dev does not answer", func() { server.start(t) })
	if err := apply(waiting, 20*time.Second); err != nil {
		t.Fatal(err)
	}
	want := []string{"widgets CREATE Widget guarded/one dry=false", "widgets CREATE Widget guarded/two dry=false"}
	asked := slices.DeleteFunc(server.seen(), func(s string) bool { return strings.HasSuffix(s, "dry=true") })
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Error(diff)
	}
	settled(t, c, objs, Options{})
	dropWebhooks(t, c, "guarded")
}

// deadWebhook proves that a plan can be made while the webhook of a kind is down, so
// that its server can be repaired, and that nothing passes it by.
func deadWebhook(t *testing.T, c *Cluster) {
	objs := parse(t, "dead", kind("dead.clusterup.dev", "{size: {type: integer}}", "{size: 3}"))
	mustApply(t, c, objs)
	server := newWebhookServer(t)
	hooks := parseHooks(t, "dead", strings.TrimPrefix(server.webhooks("Validating", "dead",
		"dead allow rules: [{apiGroups: [dead.clusterup.dev], apiVersions: [v1], resources: [widgets], operations: ['*']}]"), "\n---\n"))
	mustApply(t, c, hooks)
	soon(t, "the server to see the webhook", func() bool {
		pending, err := c.Pending(t.Context(), slices.Concat(hooks, objs), WaitOptions{Skip: skipping("Widget/one", "Widget/two")})
		return err == nil && len(pending) > 0
	})
	settled(t, c, objs, Options{})
	changed := parse(t, "dead", kind("dead.clusterup.dev", "{size: {type: integer}}", "{size: 4}"))
	p := mustPlan(t, c, changed)
	if got, want := lines(p), "update Widget dead/one\n  spec.size: 3 -> 4 (clusterup)\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if note := p.Changes()[0].Note; note != "webhook dead.clusterup.dev does not answer: compared without the server" {
		t.Errorf("note %q", note)
	}
	waiting := onProgress(t, "webhook dead.clusterup.dev does not answer", func() { server.start(t) })
	if err := c.Apply(waiting, p); err != nil { // it waits for the webhook
		t.Fatal(err)
	}
	settled(t, c, changed, Options{})
	dropWebhooks(t, c, "dead")
}
