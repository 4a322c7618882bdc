// SPDX-License-Identifier: Apache-2.0

package fieldpath_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"clusterup.dev/clusterup/internal/fieldpath"
	"clusterup.dev/clusterup/internal/hint"
)

// A path finds the field that it names, and is written as it was read.
func TestPath(t *testing.T) {
	object := map[string]any{
		"spec": map[string]any{
			"containers": []any{
				map[string]any{"name": "web", "image": "x", "port": int64(80)},
				map[string]any{"name": "a]b", "image": "y"},
				map[string]any{"name": "", "image": "z"},
			},
			"args": []any{"a", "b"},
		},
		"metadata": map[string]any{"annotations": map[string]any{"a.b/c": "d", "7": "seven"}},
		"data":     map[string]any{"01-init": "first", `a"b`: "quoted"},
	}
	for _, test := range []struct {
		path string
		want any
	}{
		{"spec.containers[name=web].image", "x"},
		{"spec.containers[port=80].image", "x"},
		{`spec.containers[name="a]b"].image`, "y"},
		{`spec.containers[name=""].image`, "z"},
		{"spec.containers[name=other].image", nil},
		{"spec.args[1]", "b"},
		{"spec.args[2]", nil},
		{"spec.args.b", nil},
		{`metadata.annotations["a.b/c"]`, "d"},
		{`metadata.annotations["7"]`, "seven"},
		{"data.01-init", "first"},
		{`data["a\"b"]`, "quoted"},
		{`["a.b"].c`, nil},
	} {
		path, err := fieldpath.Parse(test.path)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := path.In(object); got != test.want {
			t.Errorf("%s is %v, want %v", test.path, got, test.want)
		}
		if path.String() != test.path {
			t.Errorf("%s is written as %s", test.path, path)
		}
	}
	// An API server writes the value of an item's key in quotes.
	if path, err := fieldpath.Parse(`spec.containers[name="web"].image`); err != nil || path.String() != "spec.containers[name=web].image" {
		t.Errorf("read as %s, %v", path, err)
	}
}

// What is no path is refused with a hint; what comes before the fault is given.
func TestNoPath(t *testing.T) {
	for _, wrong := range []string{
		".", "spec.", ".spec", "spec..x", "spec[", "spec[]", "spec[-1]", "spec[01]", "data[00]", `spec[""]`, "spec.a b", "[0]", "[a=b]", "0a", "spec[=x]", "spec[a=]",
		"spec.args.0", `data["a\q"]`, `data["a`, `data["a"`, `spec[name="a]`, "spec[name=a", "spec[a", "spec]", "spec[1000000]", "spec[`a`]",
	} {
		if path, err := fieldpath.Parse(wrong); err == nil || hint.Of(err) == "" {
			t.Errorf("%q was read as %s, %v", wrong, path, err)
		}
	}
	if _, err := fieldpath.Parse(""); err == nil {
		t.Error("nothing is a path")
	}
	if path, _ := fieldpath.Parse(`spec.a[0]["`); path.String() != "spec.a[0]" {
		t.Errorf("what can be read is %s", path)
	}
}

// What an object is known by cannot be left to others.
func TestIdentifies(t *testing.T) {
	for text, want := range map[string]bool{
		"apiVersion": true, "kind": true, "metadata": true, "metadata.name": true, "metadata.namespace": true,
		"metadata.labels": false, "metadata.annotations.name": false, "spec.name": false, "spec": false,
	} {
		path, err := fieldpath.Parse(text)
		if err != nil || path.Identifies() != want {
			t.Errorf("%s: %v, %v", text, !want, err)
		}
	}
}

// A path that is read is written so that it reads the same.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{
		"spec.replicas", "spec.containers[name=web].image", `metadata.annotations["a.b/c"]`, "spec.args[1]", `a["\u00e9\""]`, `a[b="]"]`, "a.1-b", `["x"].y`, "[99999999999999999999]",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path, err := fieldpath.Parse(text)
		again, err2 := fieldpath.Parse(path.String())
		if len(path) > 0 && (err2 != nil || cmp.Diff(path, again) != "") {
			t.Errorf("%q, %v, is written as %q: %v", text, err, path, err2)
		}
		_, _ = path.In(map[string]any{"spec": []any{map[string]any{"name": "web"}, nil, int64(1)}})
	})
}

// Whatever the key of a map or of an item is, its path is written so that it is read.
func FuzzKey(f *testing.F) {
	for _, seed := range []string{"a", "01", "1-b", "a.b/c", `"`, "]", "é", "\xff", "a b", "-", "\n", `\`} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, key, is string) {
		if key == "" {
			return
		}
		for _, path := range []fieldpath.Path{{{Key: key}}, {{Key: "a"}, {Key: key}, {Item: true, Key: "name", Is: is}, {Key: key}}} {
			again, err := fieldpath.Parse(path.String())
			if diff := cmp.Diff(path, again); err != nil || diff != "" {
				t.Errorf("%s: %v\n%s", path, err, diff)
			}
		}
		if joined, path := fieldpath.Join("a", key), (fieldpath.Path{{Key: "a"}, {Key: key}}).String(); joined != path {
			t.Errorf("joined as %s, written as %s", joined, path)
		}
	})
}
