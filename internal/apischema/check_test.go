// SPDX-License-Identifier: Apache-2.0

package apischema

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func problems(t testing.TB, text string) []string {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	all := []string{}
	for _, p := range Check(u) {
		line := p.Path + ": " + p.Message
		if p.Hint != "" {
			line += " (" + p.Hint + ")"
		}
		all = append(all, line)
	}
	return all
}

const deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  selector: {matchLabels: {a: b}}\n  template:\n    spec:\n      containers: "

// Every kind of mistake is found with the path of the field, and all at once.
func TestCheck(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"right":           {deployment + "[{name: a, image: b, resources: {requests: {cpu: 100m, memory: 1Gi, x/y: 1}}, ports: [{containerPort: 80}], readinessProbe: {httpGet: {port: http}}}]", nil},
		"unknown field":   {deployment + "[{name: a, imagee: b, image: b}]", []string{"spec.template.spec.containers[0].imagee: there is no such field (did you mean image?)"}},
		"missing":         {deployment + "[{nam: a}]", []string{"spec.template.spec.containers[0].image: is missing", "spec.template.spec.containers[0].nam: there is no such field (did you mean name?)", "spec.template.spec.containers[0].name: is missing"}},
		"no spec":         {"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}", []string{"spec: is missing"}},
		"no selector":     {"apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: a}\nspec: {template: {spec: {containers: []}}}", []string{"spec.selector: is missing"}},
		"text for number": {"apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: three, selector: {}, template: {spec: {containers: []}}}", []string{`spec.replicas: has to be a whole number, and is the text "three"`}},
		"fraction":        {"apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 1.5, selector: {}, template: {spec: {containers: []}}}", []string{"spec.replicas: has to be a whole number, and is 1.5"}},
		"large":           {"apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 3000000000, selector: {}, template: {spec: {containers: []}}}", []string{"spec.replicas: 3000000000 is too large a number"}},
		"number for text": {"apiVersion: v1\nkind: ConfigMap\ndata: {a.b: 1, c: true, d: {}}", []string{`data.c: has to be text, and is true (put it in quotes: "true")`, "data.d: has to be text, and is a mapping", `data["a.b"]: has to be text, and is 1 (put it in quotes: "1")`}},
		"text for bool":   {"apiVersion: v1\nkind: ConfigMap\nimmutable: 'yes'", []string{`immutable: has to be true or false, and is the text "yes"`}},
		"mapping or list": {"apiVersion: v1\nkind: Service\nspec: {ports: {port: 80}, selector: [a]}", []string{"spec.ports: has to be a list, and is a mapping (each item of a list begins with \"- \")", "spec.selector: has to be a mapping, and is a list"}},
		"not base64":      {"apiVersion: v1\nkind: Secret\ndata: {a: '?', b: 1}", []string{"data.a: is not base64 (the template function b64enc gives base64)", "data.b: has to be base64, and is 1"}},
		"quantity":        {deployment + "[{name: a, image: b, resources: {limits: {memory: much}}}]", []string{`spec.template.spec.containers[0].resources.limits.memory: "much" is no quantity such as 100m or 64Mi`}},
		"port":            {deployment + "[{name: a, image: b, livenessProbe: {tcpSocket: {port: [1]}}}]", []string{"spec.template.spec.containers[0].livenessProbe.tcpSocket.port: a list is no number or name"}},
		"doubled key":     {deployment + "[{name: a, image: b, env: [{name: X, value: a}, {name: X, value: b}], ports: [{containerPort: 53, protocol: UDP}, {containerPort: 53}, {containerPort: 53, protocol: TCP}]}]", []string{"spec.template.spec.containers[0].env[1]: name X is also the one of spec.template.spec.containers[0].env[0] (server-side apply wants each once)", "spec.template.spec.containers[0].ports[2]: containerPort 53/TCP is also the one of spec.template.spec.containers[0].ports[1] (server-side apply wants each once)"}},
		"empty item":      {deployment + "[~]", []string{"spec.template.spec.containers[0]: the item is empty"}},
		"null":            {deployment + "[{name: a, image: b, env: ~, resources: ~}]", nil},
		"status":          {"apiVersion: v1\nkind: Service\nspec: {}\nstatus: {anything: 1}", nil},
		"kind":            {"apiVersion: apps/v1\nkind: Deploymnt", []string{"kind: there is no kind Deploymnt in apps/v1 (did you mean Deployment?)"}},
		"another group":   {"apiVersion: v1\nkind: Deployment", []string{"kind: there is no kind Deployment in v1 (Deployment is in apps/v1)"}},
		"version":         {"apiVersion: apps/v3\nkind: Deployment", []string{"apiVersion: there is no apiVersion apps/v3 (Deployment is in apps/v1)"}},
		"gone":            {"apiVersion: extensions/v1beta1\nkind: Ingress", []string{"apiVersion: Ingress of extensions/v1beta1 is gone since Kubernetes 1.22 (write apiVersion: networking.k8s.io/v1)"}},
		"a definition":    {"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec: {group: a, names: {kind: A, plurals: as}, scope: Namespaced, versions: [{name: v1, served: true, storage: true}]}", []string{"spec.names.plural: is missing", "spec.names.plurals: there is no such field (did you mean plural?)"}},
		"a webhook":       {"apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nwebhooks: [{name: a.b.c, clientConfig: {caBundle: Zm9v}, sideEffects: None}]", []string{"webhooks[0].admissionReviewVersions: is missing"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(append([]string{}, tt.want...), problems(t, tt.text)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Whatever an object holds, checking it ends and finds the same again.
func FuzzCheck(f *testing.F) {
	f.Add(deployment + "[{name: a, image: b, env: [{name: X}]}]")
	f.Add("apiVersion: v1\nkind: Secret\ndata: {a: '?'}")
	f.Fuzz(func(t *testing.T, text string) {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil || u.Object == nil {
			t.Skip()
		}
		one, two := Check(u), Check(u)
		if diff := cmp.Diff(one, two); diff != "" {
			t.Error(diff)
		}
		for _, p := range one {
			if strings.ContainsRune(p.Message, '\n') {
				t.Errorf("a line break in %q", p.Message)
			}
		}
	})
}
