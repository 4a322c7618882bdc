// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/hint"
)

// Object is one Kubernetes object and the place in the folder that gave it.
type Object struct {
	*unstructured.Unstructured
	File string
	Line int // 0 for what the folder as a whole gave

	Brought bool // from source, where nothing is a template

	generated bool  // a Namespace that no manifest asked for
	text      *text // nil unless places of fields are wanted
	items     []int // which item of a List it is, and of Lists in it
}

// Where is "file:line", or the file alone.
func (o Object) Where() string {
	if o.Line == 0 {
		return o.File
	}
	return fmt.Sprintf("%s:%d", o.File, o.Line)
}

// Title is how plans and errors call the object: "ConfigMap demo/settings".
func (o Object) Title() string {
	if o.GetNamespace() == "" {
		return o.GetKind() + " " + o.GetName()
	}
	return o.GetKind() + " " + o.GetNamespace() + "/" + o.GetName()
}

// checkObject refuses what the API server would refuse with less to go by.
func checkObject(o Object) error {
	bad := func(format string, args ...any) error { return fault(o.File, o.Line, format, args...) }
	for _, field := range []string{"apiVersion", "kind"} {
		if text, ok := o.Object[field].(string); !ok || text == "" {
			return bad("the object has no %s", field)
		}
	}
	metadata, ok := o.Object["metadata"].(map[string]any)
	if !ok {
		return bad("the %s has no metadata", o.GetKind())
	}
	for _, field := range []string{"name", "namespace"} {
		value, given := metadata[field]
		if _, ok := value.(string); given && !ok {
			return hint.With(bad("metadata.%s of the %s is %s", field, o.GetKind(), typeName(value)), "put it in quotes")
		}
	}
	switch {
	case o.GetGenerateName() != "":
		return hint.With(bad("the %s has a generateName", o.GetKind()), "give it a name: what is applied again and again needs one")
	case o.GetName() == "":
		return bad("the %s has no name", o.GetKind())
	}
	for _, field := range []string{"labels", "annotations"} {
		if metadata[field] == nil {
			delete(metadata, field)
			continue
		}
		entries, ok := metadata[field].(map[string]any)
		if !ok {
			return bad("the %s of %s are %s", field, o.Title(), typeName(metadata[field]))
		}
		for _, key := range slices.Sorted(maps.Keys(entries)) {
			if _, ok := entries[key].(string); !ok {
				return hint.With(bad("%s %s of %s is %s", field[:len(field)-1], key, o.Title(), typeName(entries[key])), "put it in quotes")
			}
		}
	}
	if metadata["creationTimestamp"] == nil { // as generators of CRDs print it
		delete(metadata, "creationTimestamp")
	}
	return nil
}

func isSecret(u *unstructured.Unstructured) bool {
	return u.GetKind() == "Secret" && u.GetAPIVersion() == "v1"
}

// encodeSecret moves stringData into data, where the API server keeps it: so
// what is applied can be compared with what is there.
func encodeSecret(o Object) error {
	text, ok := o.Object["stringData"].(map[string]any)
	if !ok && o.Object["stringData"] != nil {
		return fault(o.File, o.Line, "stringData of %s is %s", o.Title(), typeName(o.Object["stringData"]))
	}
	delete(o.Object, "stringData")
	encoded, ok := o.Object["data"].(map[string]any)
	if !ok && o.Object["data"] != nil {
		return fault(o.File, o.Line, "data of %s is %s", o.Title(), typeName(o.Object["data"]))
	}
	for key, value := range encoded {
		if _, err := base64.StdEncoding.DecodeString(fmt.Sprint(value)); err != nil {
			return hint.With(fault(o.File, o.Line, "data.%s of %s is not base64", key, o.Title()), "write plain text under stringData")
		}
	}
	for key, value := range text {
		plain, ok := value.(string)
		if !ok {
			return hint.With(fault(o.File, o.Line, "stringData.%s of %s is %s", key, o.Title(), typeName(value)), "put it in quotes")
		}
		if encoded == nil {
			encoded = make(map[string]any, len(text))
			o.Object["data"] = encoded
		}
		encoded[key] = base64.StdEncoding.EncodeToString([]byte(plain))
	}
	return nil
}
