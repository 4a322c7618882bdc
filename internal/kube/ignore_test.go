// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"clusterup.dev/clusterup/internal/fieldpath"
)

func ignoreOf(fields ...string) Options {
	return Options{Ignore: func(Ref) []string { return fields }}
}

// ignored proves that the manifest's value counts at first, and never again: neither
// our own value nor another manager's is changed, claimed or in conflict, also
// when the manifest changes, and the rest is still put right.
func ignored(t *testing.T, c *Cluster) {
	o := ignoreOf("spec.replicas", "data.level", `metadata.annotations["a.b/c"]`)
	text := strings.Replace(small, "{name: settings,", `{name: settings, annotations: {a.b/c: first},`, 1)
	objs := parse(t, "ignored", text)
	mustApplyWith(t, c, objs, o)
	settled(t, c, objs, o)
	settings := Ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: "ignored", Name: "settings"}
	if got, _, _ := unstructured.NestedString(mustGet(t, c, settings).Object, "data", "level"); got != "info" {
		t.Errorf("level %q after the first apply, want the manifest's", got)
	}
	later := parse(t, "ignored", strings.NewReplacer("replicas: 2", "replicas: 3", "level: info", "level: warn", "a.b/c: first", "a.b/c: second").Replace(text))
	settled(t, c, later, o)
	edit(t, c, settings, "operator", `{"data":{"level":"debug"},"metadata":{"annotations":{"a.b/c":"third"}}}`)
	edit(t, c, web("ignored"), "operator", `{"spec":{"replicas":7}}`)
	settled(t, c, later, o)
	edit(t, c, settings, "kubectl-edit", `{"data":{"level":"trace","a.conf":"y"}}`)
	want := "update ConfigMap ignored/settings\n  data[\"a.conf\"]: y -> x (kubectl-edit)\n"
	if got := lines(mustApplyWith(t, c, later, o)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	live := mustGet(t, c, settings)
	if level, _, _ := unstructured.NestedString(live.Object, "data", "level"); level != "trace" || live.GetAnnotations()["a.b/c"] != "third" {
		t.Errorf("an ignored field was changed: %v, %v", level, live.GetAnnotations())
	}
	settled(t, c, later, o)
	edit(t, c, settings, "operator", `{"data":{"level":null},"metadata":{"annotations":null}}`)
	settled(t, c, later, o)
	none := parse(t, "ignored", strings.NewReplacer("annotations: {a.b/c: first},", "", "level: info, ", "").Replace(text))
	settled(t, c, none, o)
}

// ignoredParts proves it for whole maps, items of lists and items by index.
func ignoredParts(t *testing.T, c *Cluster) {
	o := ignoreOf("data", "stringData.token", "spec.template.spec.containers[name=web].image", "spec.template.spec.containers[name=web].args[1]",
		"spec.template.spec.containers[name=web].resources", "spec.ports[0]")
	objs := parse(t, "parts", small)
	mustApplyWith(t, c, objs, o)
	settled(t, c, objs, o)
	edit(t, c, Ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: "parts", Name: "settings"}, "operator", `{"data":{"level":"debug","new":"x"}}`)
	_, err := c.client(mustResource(t, c, web("parts")), "parts").Patch(t.Context(), "web", types.StrategicMergePatchType,
		[]byte(`{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"other:1","resources":{"requests":{"cpu":"2"}}}]}}}}`), metav1.PatchOptions{FieldManager: "operator"})
	if err != nil {
		t.Fatal(err)
	}
	changed := parse(t, "parts", strings.NewReplacer("web:1.0", "web:2.0", "--now", "--later", "memory: 64Mi", "memory: 65Mi", "port: 80,", "port: 81,").Replace(small))
	settled(t, c, changed[:4], o)
	settled(t, c, changed[5:], o)
	_, err = c.Plan(t.Context(), objs, ignoreOf("spec..replicas"))
	if err == nil || !strings.Contains(err.Error(), `"spec..replicas" is not the path of a field`) {
		t.Errorf("error %v", err)
	}
	if _, err = c.Plan(t.Context(), objs, ignoreOf("metadata")); err == nil || !strings.Contains(err.Error(), "metadata cannot be ignored") {
		t.Errorf("error %v", err)
	}
}

// autoscaled proves that an autoscaler is left alone without any rule, and a hand is not.
func autoscaled(t *testing.T, c *Cluster) {
	objs := parse(t, "scaled", small)
	mustApply(t, c, objs)
	scale := func(manager string, to string) {
		t.Helper()
		_, err := c.client(mustResource(t, c, web("scaled")), "scaled").Patch(t.Context(), "web", types.MergePatchType,
			[]byte(`{"spec":{"replicas":`+to+`}}`), metav1.PatchOptions{FieldManager: manager}, "scale")
		if err != nil {
			t.Fatal(err)
		}
	}
	scale("kube-controller-manager", "6")
	settled(t, c, objs, Options{})
	scale("kube-controller-manager", "2") // the manifest's own value
	settled(t, c, objs, Options{})
	scale("kubectl", "9")
	want := "update Deployment scaled/web\n  spec.replicas: 9 -> 2 (kubectl)\n"
	if got := lines(mustApply(t, c, objs)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	settled(t, c, objs, Options{})
}

const injectable = `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: injected}
webhooks:
- name: one.clusterup.dev
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Ignore
  clientConfig: {service: {name: hooks, namespace: default}}
- name: two.clusterup.dev
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Ignore
  clientConfig: {service: {name: hooks, namespace: default}, caBundle: ""}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.demo.clusterup.dev}
spec:
  group: demo.clusterup.dev
  scope: Cluster
  names: {kind: Gadget, plural: gadgets}
  conversion: {strategy: Webhook, webhook: {conversionReviewVersions: [v1], clientConfig: {service: {name: hooks, namespace: default}}}}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.injected.clusterup.dev}
spec: {group: injected.clusterup.dev, version: v1, groupPriorityMinimum: 100, versionPriority: 100, caBundle: "", service: {name: api, namespace: default}}
`

// injectedCA proves that CA bundles which something injects stay, where the manifest
// leaves them out and where it has an empty one.
func injectedCA(t *testing.T, c *Cluster) {
	objs := parse(t, "", injectable)
	mustApply(t, c, objs)
	settled(t, c, objs, Options{})
	bundle := testCA(t)
	edit(t, c, RefOf(objs[0]), "cainjector", `{"webhooks":`+webhooksWith(t, objs[0], bundle)+`}`)
	edit(t, c, RefOf(objs[1]), "cainjector", `{"spec":{"conversion":{"webhook":{"clientConfig":{"caBundle":"`+bundle+`"}}}}}`)
	edit(t, c, RefOf(objs[2]), "cainjector", `{"spec":{"caBundle":"`+bundle+`"}}`)
	settled(t, c, objs, Options{})
	live := mustGet(t, c, RefOf(objs[0]))
	if got, _ := (fieldpath.Path{{Key: "webhooks"}, {Item: true, Key: "name", Is: "two.clusterup.dev"}, {Key: "clientConfig"}, {Key: "caBundle"}}).In(live.Object); got != bundle {
		t.Errorf("the injected bundle is %v", got)
	}
	pending, err := c.Pending(t.Context(), objs[2:], WaitOptions{})
	if err != nil || len(pending) != 1 || !strings.HasPrefix(pending[0].Reason, "not available: ") {
		t.Errorf("pending %+v, %v", pending, err)
	}
	if err := c.Delete(t.Context(), refsOf(objs[2:]), DeleteOptions{Wait: 10 * time.Second}); err != nil { // discovery asks it
		t.Error(err)
	}
}

func webhooksWith(t *testing.T, u *unstructured.Unstructured, bundle string) string {
	t.Helper()
	var list []any
	for _, item := range u.DeepCopy().Object["webhooks"].([]any) {
		item.(map[string]any)["clientConfig"].(map[string]any)["caBundle"] = bundle
		list = append(list, item)
	}
	text, err := yaml.Marshal(list)
	if err == nil {
		text, err = yaml.YAMLToJSON(text)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
