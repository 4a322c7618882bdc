// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// kind gives a CustomResourceDefinition and a namespace with one object of it.
func kind(group, properties, spec string) string {
	return strings.NewReplacer("demo.clusterup.dev", group, "{size: {type: integer}}", properties, "spec: {size: 3}", "spec: "+spec).Replace(crdAndObjects)
}

// comingKind proves that objects of a kind which another set brings are planned before it
// is served, and checked by its definition: version, scope and fields, all faults
// at once; and that they are applied once the kind is there.
func comingKind(t *testing.T, c *Cluster) {
	all := parse(t, "coming", kind("coming.clusterup.dev", "{size: {type: integer, maximum: 5}}", "{size: 3}"))
	definition, objs := all[2], append(all[:2:2], all[3])
	if _, err := c.Plan(t.Context(), objs, Options{}); err == nil || !strings.Contains(err.Error(), "the cluster does not serve coming.clusterup.dev/v1 Widget") {
		t.Errorf("error %v", err)
	}
	o := Options{Coming: []*unstructured.Unstructured{definition}}
	p, err := c.Plan(t.Context(), objs, o)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := lines(p), "create Widget coming/one\ncreate Widget coming/two\ncreate Namespace coming\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, test := range []struct{ old, new, want string }{
		{"{size: 3}", "{size: 9, colour: red}", "Widget coming/one: spec.colour: unknown field; spec.size: should be less than or equal to 5"},
		{"name: one, namespace: coming", "name: one", "Widget one has no namespace"},
		{"clusterup.dev/v1\n", "clusterup.dev/v2\n", "the cluster does not serve coming.clusterup.dev/v2 Widget"},
	} {
		text := strings.ReplaceAll(kind("coming.clusterup.dev", "", "{size: 3}"), "NS", "coming")
		wrong := parse(t, "", strings.Replace(strings.SplitN(text, "\n---\n", 2)[0], test.old, test.new, 1))
		if _, err := c.Plan(t.Context(), wrong, o); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want %q", err, test.want)
		}
	}
	waiting := onProgress(t, "waiting for Widget coming/", func() {
		if p, err := c.Plan(t.Context(), []*unstructured.Unstructured{definition}, Options{}); err != nil || c.Apply(t.Context(), p) != nil {
			t.Error(err)
		}
	})
	if err := c.Apply(waiting, p); err != nil { // it waits for the kind
		t.Fatal(err)
	}
	settled(t, c, objs, o)
	settled(t, c, objs, Options{})
}

// changedDefinition proves that an object which needs a field, or a version, that its
// definition only gets in the same run is planned and applied with it.
func changedDefinition(t *testing.T, c *Cluster) {
	const group = "changing.clusterup.dev"
	mustApply(t, c, parse(t, "changing", kind(group, "{size: {type: integer}}", "{size: 3}")))
	objs := parse(t, "changing", kind(group, "{size: {type: integer}, colour: {type: string}}", "{size: 4, colour: red}"))
	p := mustPlan(t, c, objs)
	want := `update Widget changing/one
  spec.colour:  -> red ()
  spec.size: 3 -> 4 (clusterup)
update CustomResourceDefinition widgets.changing.clusterup.dev
  spec.versions[name=v1].schema.openAPIV3Schema.properties.spec.properties.colour.type:  -> string (clusterup)
`
	if got := lines(p); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if err := c.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	settled(t, c, objs, Options{})
	wrong := parse(t, "changing", kind(group, "{size: {type: integer}, colour: {type: string}, more: {type: string}}", "{size: 4, shape: round}"))
	if _, err := c.Plan(t.Context(), wrong, Options{}); err == nil || !strings.Contains(err.Error(), "Widget changing/one: spec.shape: unknown field") {
		t.Errorf("error %v", err)
	}
	schema := "    schema:\n      openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}\n"
	next := strings.Replace(kind(group, "{size: {type: integer}, colour: {type: string}}", "{size: 5, colour: red}"),
		"  - name: v1\n", "  - name: v2\n    served: true\n    storage: false\n"+schema+"  - name: v1\n", 1)
	next = strings.Replace(next, group+"/v1\nkind: Widget\nmetadata: {name: one", group+"/v2\nkind: Widget\nmetadata: {name: one", 1)
	objs = parse(t, "changing", next)
	p = mustPlan(t, c, objs)
	if got := lines(p); !strings.HasPrefix(got, "update Widget changing/one\n  spec.size: 4 -> 5 (clusterup)\n") {
		t.Errorf("got\n%s", got)
	}
	if err := c.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	settled(t, c, objs, Options{})
}

// largeDefinition proves that a definition beyond what fits into an annotation
// (262,144 bytes) is applied, compared and changed.
func largeDefinition(t *testing.T, c *Cluster) {
	var properties strings.Builder
	for i := range 1500 {
		fmt.Fprintf(&properties, "field%d: {type: string, description: %q}, ", i, strings.Repeat("what it is for, at length. ", 8))
	}
	text := kind("large.clusterup.dev", "{"+properties.String()+"size: {type: integer}}", "{size: 3}")
	if len(text) < 300_000 {
		t.Fatalf("only %d bytes", len(text))
	}
	objs := parse(t, "large", text)
	mustApply(t, c, objs)
	settled(t, c, objs, Options{})
	changed := parse(t, "large", strings.Replace(text, "field7: {type: string,", "field7: {type: integer,", 1))
	if got := len(mustApply(t, c, changed).Changes()); got != 1 {
		t.Errorf("%d changes, want one", got)
	}
	settled(t, c, changed, Options{})
}
