// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/fieldpath"
)

func thing(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte("apiVersion: v1\nkind: Thing\nmetadata: {name: x}\n" + text))
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestDifferences(t *testing.T) {
	for _, test := range []struct {
		name, live, after string
		want              []converge.Field
	}{
		{"equal", "spec: {a: 1}", "spec: {a: 1}", nil},
		{"status does not count", "status: {a: 1}", "status: {a: 2}", nil},
		{"scalar", "spec: {a: 1}", "spec: {a: 2}", []converge.Field{{Path: "spec.a", Old: "1", New: "2"}}},
		{
			"a map that comes is told by its fields", "spec: {}", "spec: {m: {a: x, b: {c: true}}}",
			[]converge.Field{{Path: "spec.m.a", New: "x"}, {Path: "spec.m.b.c", New: "true"}},
		},
		{"an empty map that comes", "spec: {}", "spec: {m: {}}", []converge.Field{{Path: "spec.m", New: "{}"}}},
		{
			"items by name", "spec: {l: [{name: a, v: 1}, {name: b, v: 2}]}", "spec: {l: [{name: a, v: 1}, {name: c, v: 3}]}",
			[]converge.Field{{Path: "spec.l[name=b]", Old: `{"name":"b","v":2}`}, {Path: "spec.l[name=c]", New: `{"name":"c","v":3}`}},
		},
		{
			"the order of named items", "spec: {l: [{name: a}, {name: b}]}", "spec: {l: [{name: b}, {name: a}]}",
			[]converge.Field{{Path: "spec.l", Old: `["a","b"]`, New: `["b","a"]`}},
		},
		{
			"items by position", "spec: {l: [x, v]}", "spec: {l: [x, z, w]}",
			[]converge.Field{{Path: "spec.l[1]", Old: "v", New: "z"}, {Path: "spec.l[2]", New: "w"}},
		},
		{
			"a key that needs quotes", "metadata: {annotations: {a.b/c: x}}", "metadata: {annotations: {a.b/c: z}}",
			[]converge.Field{{Path: `metadata.annotations["a.b/c"]`, Old: "x", New: "z"}},
		},
		{
			"a key that begins with a digit", "data: {01-init: x, '7': v}", "data: {01-init: z, '7': z}",
			[]converge.Field{{Path: "data.01-init", Old: "x", New: "z"}, {Path: `data["7"]`, Old: "v", New: "z"}},
		},
		{"another type", "spec: {a: [1]}", "spec: {a: b}", []converge.Field{{Path: "spec.a", Old: "[1]", New: "b"}}},
		{
			"kubectl's copy is masked", "metadata: {annotations: {kubectl.kubernetes.io/last-applied-configuration: s3cret}}", "metadata: {}",
			[]converge.Field{{Path: `metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"]`, Old: "(secret)"}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := differences(thing(t, test.live), thing(t, test.after))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			for _, field := range got { // a rule can be written with it
				if path, err := fieldpath.Parse(field.Path); err != nil || path.String() != field.Path {
					t.Errorf("%s is read as %s, %v", field.Path, path, err)
				}
			}
		})
	}
}

func TestWriterFindsItemsByTheirKeys(t *testing.T) {
	live := thing(t, `spec: {ports: [{port: 80, protocol: TCP, name: x}], args: [a, b], finalizers: [f]}`)
	entries := []managerEntry{
		{manager: Manager, time: "2026-01-02T00:00:00Z", fields: map[string]any{"f:spec": map[string]any{"f:args": map[string]any{}}}},
		{manager: "old", time: "2026-01-01T00:00:00Z", fields: map[string]any{"f:spec": map[string]any{
			"f:args":       map[string]any{},
			"f:finalizers": map[string]any{`v:"f"`: map[string]any{}},
			"f:ports":      map[string]any{`k:{"port":80,"protocol":"TCP"}`: map[string]any{".": map[string]any{}, "f:name": map[string]any{}}},
		}}},
	}
	spec := live.Object["spec"].(map[string]any)
	port, args, finalizers := spec["ports"].([]any)[0], spec["args"].([]any), spec["finalizers"].([]any)
	for _, test := range []struct {
		path []pathStep
		want string
	}{
		{[]pathStep{{key: "spec"}, {key: "ports"}, {item: port}, {key: "name"}}, "old at 2026-01-01T00:00:00Z"},
		{[]pathStep{{key: "spec"}, {key: "ports"}, {item: port}, {key: "nodePort"}}, ""},
		{[]pathStep{{key: "spec"}, {key: "args"}, {index: 1, item: args[1]}}, "old at 2026-01-01T00:00:00Z"},
		{[]pathStep{{key: "spec"}, {key: "finalizers"}, {item: finalizers[0]}}, "old at 2026-01-01T00:00:00Z"},
		{[]pathStep{{key: "data"}}, ""},
	} {
		if got := writer(entries, test.path); got != test.want {
			t.Errorf("%s was written by %q, want %q", pathString(test.path), got, test.want)
		}
	}
}
