// SPDX-License-Identifier: Apache-2.0

package crd

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kjson "sigs.k8s.io/json"
)

// Problem is one thing that is wrong with an object.
type Problem struct {
	Path    string // as diff prints it: spec.size, spec.items[0].x, metadata.annotations["a.b/c"]
	Message string
}

// Error is all that is wrong with an object.
type Error struct{ Problems []Problem }

func (e *Error) Error() string {
	said := make([]string, 0, len(e.Problems))
	for _, p := range e.Problems {
		said = append(said, p.Path+": "+p.Message)
	}
	return strings.Join(said, "; ")
}

// Check checks o by the definition, as the API server would, and gives an *Error
// with every problem. What only the server writes (status, managedFields) does not
// count. Rules in CEL are left to the server.
func Check(definition, o *unstructured.Unstructured) error {
	d, err := Parse(definition)
	if err != nil {
		return err
	}
	return d.Check(o)
}

type check struct{ problems []Problem }

func (c *check) add(path path, message string) {
	c.problems = append(c.problems, Problem{Path: path.String(), Message: message})
}

// Check checks o, which it does not change, by the definition.
func (d *Definition) Check(o *unstructured.Unstructured) error {
	c := &check{}
	if v := d.version(c, o); v != nil {
		c.scope(d, o)
		c.object(v, o)
	}
	if len(c.problems) == 0 {
		return nil
	}
	slices.SortFunc(c.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Message, b.Message))
	})
	return &Error{Problems: slices.Compact(c.problems)}
}

func (d *Definition) version(c *check, o *unstructured.Unstructured) *version {
	gvk := o.GroupVersionKind()
	v := d.versions[gvk.Version]
	switch {
	case gvk.GroupKind() != d.kind:
		c.add(root.key("kind"), fmt.Sprintf("%s is not %s", gvk.GroupKind(), d.kind))
		return nil
	case v == nil || !v.served:
		served := slices.Sorted(maps.Keys(d.versions))
		served = slices.DeleteFunc(served, func(name string) bool { return !d.versions[name].served })
		c.add(root.key("apiVersion"), fmt.Sprintf("%s is not served, only %s", gvk.Version, strings.Join(served, ", ")))
		return nil
	}
	return v
}

func (c *check) scope(d *Definition, o *unstructured.Unstructured) {
	at := root.key("metadata").key("namespace")
	switch {
	case d.namespaced && o.GetNamespace() == "":
		c.add(at, "required: a "+d.kind.Kind+" is in a namespace")
	case !d.namespaced && o.GetNamespace() != "":
		c.add(at, "a "+d.kind.Kind+" is in no namespace")
	}
}

func (c *check) object(v *version, o *unstructured.Unstructured) {
	text, err := encode(o.Object)
	body := make(map[string]any)
	if err == nil {
		err = decode(text, &body)
	}
	if err != nil {
		c.add(root, err.Error())
		return
	}
	delete(body, "status")
	c.metadata(root.key("metadata"), body["metadata"])
	fill(body, v.schema)
	c.unknownFields(root, body, v.schema, true, v.lax)
	c.values(body, v.schema)
}

func encode(value any) ([]byte, error) { return json.Marshal(value) }

// decode reads JSON as the API does: whole numbers are int64.
func decode(text []byte, into any) error { return kjson.UnmarshalCaseSensitivePreserveInts(text, into) }
