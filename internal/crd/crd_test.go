// SPDX-License-Identifier: Apache-2.0

package crd

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"clusterup.dev/clusterup/internal/testservers"
)

const widgets = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.demo.clusterup.dev}
spec:
  group: demo.clusterup.dev
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget, listKind: WidgetList}
  versions:
  - {name: v1alpha1, served: false, storage: false, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          status: {type: object, properties: {phase: {type: string}}}
          spec:
            type: object
            required: [size, mode]
            properties:
              size: {type: integer, minimum: 1, maximum: 9}
              mode: {type: string, enum: [fast, slow], default: fast}
              host: {type: string, pattern: '^[a-z.]+$', maxLength: 12}
              ratio: {type: number, exclusiveMinimum: true, minimum: 0}
              port: {x-kubernetes-int-or-string: true}
              when: {type: string, format: date-time}
              how: {type: string, format: made-up}
              maybe: {type: string, nullable: true}
              never: {type: string}
              labels: {type: object, additionalProperties: {type: string}}
              open: {type: object, x-kubernetes-preserve-unknown-fields: true, properties: {known: {type: integer}}}
              inner: {type: object, x-kubernetes-embedded-resource: true, x-kubernetes-preserve-unknown-fields: true}
              rules:
                type: array
                minItems: 1
                items:
                  type: object
                  required: [name]
                  properties: {name: {type: string}, weight: {type: integer, default: 1}}
                  oneOf:
                  - {required: [a]}
                  - {required: [b]}
              either:
                type: object
                properties: {a: {type: string}, b: {type: string}}
                oneOf:
                - {required: [a]}
                - {required: [b]}
`

const widget = "apiVersion: demo.clusterup.dev/v1\nkind: Widget\nmetadata: {name: x, namespace: default}\n"

// cases are objects and what is wrong with them; "" for nothing.
var cases = []struct{ name, object, want string }{
	{"right", widget + "spec: {size: 3, mode: slow, host: a.b, ratio: 0.5, when: 2026-01-02T03:04:05Z, how: any, labels: {a.b/c: x}}", ""},
	{"a default fills what is required", widget + "spec: {size: 3}", ""},
	{"a whole float is an integer", widget + "spec: {size: 3.0}", ""},
	{"a string port", widget + "spec: {size: 3, port: http}", ""},
	{"a number port", widget + "spec: {size: 3, port: 80}", ""},
	{"a port that is neither", widget + "spec: {size: 3, port: [80]}", `spec.port: must be of type integer,string: "array"`},
	{"status does not count", widget + "spec: {size: 3}\nstatus: {phase: Ready}", ""},
	{"null where it may be", widget + "spec: {size: 3, maybe: null}", ""},
	{"null where it is dropped", widget + "spec: {size: 3, never: null}", ""},
	{"null for what is required", widget + "spec: {size: null}", "spec.size: required"},
	{"no spec", widget, "spec: required"},
	{"two at once", widget + "spec: {size: big, colour: red}", `spec.colour: unknown field; spec.size: must be of type integer: "string"`},
	{"at the root", widget + "spec: {size: 3}\nspecs: {}", "specs: unknown field"},
	{"out of bounds", widget + "spec: {size: 10, ratio: 0}", "spec.ratio: should be greater than 0; spec.size: should be less than or equal to 9"},
	{"enum", widget + "spec: {size: 3, mode: medium}", "spec.mode: should be one of [fast slow]"},
	{"pattern", widget + "spec: {size: 3, host: UPPER}", "spec.host: should match '^[a-z.]+$'"},
	{"length", widget + "spec: {size: 3, host: too.long.for.it}", "spec.host: should be at most 12 chars long"},
	{"format", widget + "spec: {size: 3, when: yesterday}", `spec.when: must be of type date-time: "yesterday"`},
	{"a key with a dot", widget + `spec: {size: 3, labels: {a.b/c: 1}}`, `spec.labels["a.b/c"]: must be of type string: "integer"`},
	{"open to anything", widget + "spec: {size: 3, open: {known: 1, other: {x: [1]}}}", ""},
	{"open, but not to this", widget + "spec: {size: 3, open: {known: no}}", `spec.open.known: must be of type integer: "boolean"`},
	{"an embedded object", widget + "spec: {size: 3, inner: {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {x: 1}}}", ""},
	{"no embedded object", widget + "spec: {size: 3, inner: {kind: Pod, metadata: {nam: a}}}", "spec.inner.apiVersion: required; spec.inner.metadata.nam: unknown field"},
	{"items", widget + "spec: {size: 3, rules: [{name: a, x: 1}, {weight: 2}]}", "*"},
	{"neither of two", widget + "spec: {size: 3, either: {}}", "*"},
	{"one of two", widget + "spec: {size: 3, either: {a: x}}", ""},
	{"too few", widget + "spec: {size: 3, rules: []}", "spec.rules: should have at least 1 items"},
	{"metadata", "apiVersion: demo.clusterup.dev/v1\nkind: Widget\nmetadata: {name: x, namespace: default, label: {}}\nspec: {size: 3}", "metadata.label: unknown field"},
	{"a label that is a number", "apiVersion: demo.clusterup.dev/v1\nkind: Widget\nmetadata: {name: x, namespace: default, labels: {a: 1}}\nspec: {size: 3}", "metadata.labels: must be of type string, not number"},
	{"a version that is not served", "apiVersion: demo.clusterup.dev/v1alpha1\nkind: Widget\nmetadata: {name: x, namespace: default}", "apiVersion: v1alpha1 is not served, only v1"},
	{"a version that is not there", "apiVersion: demo.clusterup.dev/v9\nkind: Widget\nmetadata: {name: x, namespace: default}", "apiVersion: v9 is not served, only v1"},
}

func read(t testing.TB, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestCheck(t *testing.T) {
	d, err := Parse(read(t, widgets))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range cases {
		o := read(t, test.object)
		before := o.DeepCopy()
		got := ""
		if err := d.Check(o); err != nil {
			got = err.Error()
		}
		if test.want == "*" && got == "" || test.want != "*" && got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
		if diff := cmp.Diff(before, o); diff != "" {
			t.Errorf("%s: the object was changed: %s", test.name, diff)
		}
	}
	cluster := read(t, strings.Replace(widgets, "scope: Namespaced", "scope: Cluster", 1))
	if err := Check(cluster, read(t, widget+"spec: {size: 3}")); err == nil || err.Error() != "metadata.namespace: a Widget is in no namespace" {
		t.Errorf("scope: %v", err)
	}
	nowhere := read(t, strings.Replace(widget, ", namespace: default", "", 1)+"spec: {size: 3}")
	if err := d.Check(nowhere); err == nil || err.Error() != "metadata.namespace: required: a Widget is in a namespace" {
		t.Errorf("scope: %v", err)
	}
}

// TestAgreesWithAPIServer proves that what is refused here is what an API server
// refuses, and nothing else: it is asked about the same objects.
func TestAgreesWithAPIServer(t *testing.T) {
	config, err := clientcmd.BuildConfigFromFlags("", testservers.APIServer(t))
	if err != nil {
		t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	crds := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	if _, err := client.Resource(crds).Create(t.Context(), read(t, widgets), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	ask := func(text string) error {
		o := read(t, text)
		gvr := o.GroupVersionKind().GroupVersion().WithResource("widgets")
		_, err := client.Resource(gvr).Namespace(o.GetNamespace()).Create(t.Context(), o,
			metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict})
		return err
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for ask(cases[0].object) != nil {
		select {
		case <-ctx.Done():
			t.Fatal(ask(cases[0].object))
		case <-time.After(50 * time.Millisecond):
		}
	}
	for _, test := range cases {
		err := ask(test.object)
		if (err != nil) != (test.want != "") {
			t.Errorf("%s: here %q, the API server says %v", test.name, test.want, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct{ old, new, want string }{
		{"kind: CustomResourceDefinition", "kind: Other", "Other widgets.demo.clusterup.dev is no CustomResourceDefinition"},
		{"scope: Namespaced", "scope: Everywhere", `spec.scope: must be Namespaced or Cluster, not "Everywhere"`},
		{"group: demo.clusterup.dev", "group: ''", "spec.group, spec.names.kind and spec.names.plural are required"},
		{"{type: integer, minimum: 1, maximum: 9}", "{$ref: '#/x'}", "spec.versions[1].schema.openAPIV3Schema: properties.spec: properties.size: $ref is not allowed"},
		{"'^[a-z.]+$'", "'['", "properties.host: pattern"},
		{"{type: integer, minimum: 1, maximum: 9}", "[]", "reading CustomResourceDefinition"},
	} {
		_, err := Parse(read(t, strings.Replace(widgets, test.old, test.new, 1)))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.new, err, test.want)
		}
	}
}

// FuzzCheck proves that no definition and no object make it panic.
func FuzzCheck(f *testing.F) {
	for _, test := range cases {
		f.Add(widgets, test.object)
	}
	f.Fuzz(func(_ *testing.T, definition, object string) {
		d, o := &unstructured.Unstructured{}, &unstructured.Unstructured{}
		if yaml.Unmarshal([]byte(definition), &d.Object) != nil || yaml.Unmarshal([]byte(object), &o.Object) != nil {
			return
		}
		_ = Check(d, o)
	})
}
