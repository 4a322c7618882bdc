// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"clusterup.dev/clusterup/internal/kustomization"
)

// kustomize builds a kustomization. Its bases may be anywhere in the folder.
func (r *renderer) kustomize(dir string) ([]Object, error) {
	files := make(map[string][]byte)
	err := r.Addon.walk(".", func(name string, data []byte) error {
		if !strings.HasPrefix(name, "testdata/") {
			files[name] = data
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	built, err := kustomization.Render(files, r.Addon.Dir, dir)
	if err != nil {
		return nil, err
	}
	var objects []Object
	for _, resource := range built {
		var content map[string]any
		if err := utiljson.Unmarshal(resource.JSON, &content); err != nil {
			return nil, fault(resource.File, 0, "reading what kustomize gave: %v", err)
		}
		o := Object{Unstructured: &unstructured.Unstructured{Object: content}, File: resource.File}
		if !resource.Made {
			o.Line = lineOf(o, files[strings.TrimPrefix(resource.File, r.Addon.Dir+"/")])
		}
		found, err := flatten(o)
		if err != nil {
			return nil, err
		}
		objects = append(objects, found...)
	}
	return objects, nil
}

// lineOf finds the document that an object was made of: the only one of its kind
// whose name its own still holds, since a kustomization adds to names. 0 if there
// is no such one.
func lineOf(o Object, text []byte) int {
	candidates, err := parseDocuments(untracked(o.File, 1, text), false)
	if err != nil {
		return 0
	}
	line := 0
	for _, c := range candidates {
		if c.GetKind() != o.GetKind() || !strings.Contains(o.GetName(), c.GetName()) {
			continue
		}
		if line != 0 {
			return 0
		}
		line = c.Line
	}
	return line
}
