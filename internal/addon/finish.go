// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/hint"
)

// Labels that every object carries.
const (
	LabelName        = "app.kubernetes.io/name"
	LabelVersion     = "app.kubernetes.io/version"
	LabelManagedBy   = "app.kubernetes.io/managed-by"
	LabelAddon       = "clusterup.dev/addon"
	LabelEnvironment = "clusterup.dev/environment"
)

// finish makes of what the manifests say what is to be applied.
func (r *renderer) finish(objects *[]Object) error {
	scopes := customScopes(*objects)
	for _, o := range *objects {
		if isSecret(o.Unstructured) {
			if err := encodeSecret(o); err != nil {
				return err
			}
		}
		if err := r.setNamespace(o, scopes); err != nil {
			return err
		}
	}
	r.addNamespace(objects)
	for _, o := range *objects {
		r.label(o.Unstructured)
	}
	if err := checkDistinct(*objects); err != nil {
		return err
	}
	slices.SortStableFunc(*objects, func(a, b Object) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(identity(a), identity(b)))
	})
	return nil
}

func (r *renderer) setNamespace(o Object, custom map[string]scope) error {
	switch s := scopeOf(o.Unstructured, custom); {
	case s == namespaced && o.GetNamespace() == "":
		o.SetNamespace(r.Addon.Namespace)
	case s == clusterScoped && o.GetNamespace() != "":
		return hint.With(fault(o.File, o.Line, "%s %s is in a namespace, and its kind has none", o.GetKind(), o.GetName()), "remove metadata.namespace")
	}
	return nil
}

// addNamespace adds the add-on's own namespace unless a manifest holds it, or
// nothing is in it, or Kubernetes makes it.
func (r *renderer) addNamespace(objects *[]Object) {
	name, used := r.Addon.Namespace, false
	for _, o := range *objects {
		if o.GetKind() == "Namespace" && o.GetName() == name {
			return
		}
		used = used || o.GetNamespace() == name
	}
	if !used || name == "default" || strings.HasPrefix(name, "kube-") {
		return
	}
	namespace := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace"}}
	namespace.SetName(name)
	*objects = append(*objects, Object{Unstructured: namespace, File: r.Addon.Dir + "/" + MetadataFile, generated: true})
}

var notInLabels = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// label stamps the standard labels. Name and version may be the manifest's own:
// a folder can install more than one thing.
func (r *renderer) label(u *unstructured.Unstructured) {
	labels := u.GetLabels()
	if labels == nil {
		labels = make(map[string]string)
	}
	version := notInLabels.ReplaceAllString(r.Addon.Version, "_")
	version = strings.Trim(version[:min(len(version), 63)], "._-")
	for key, value := range map[string]string{LabelName: r.Addon.Name, LabelVersion: version} {
		if labels[key] == "" {
			labels[key] = value
		}
	}
	labels[LabelManagedBy] = "clusterup"
	labels[LabelAddon] = r.Addon.Name
	labels[LabelEnvironment] = r.Environment
	u.SetLabels(labels)
}

func identity(o Object) string {
	kind := o.GroupVersionKind().GroupKind()
	return fmt.Sprintf("%s.%s/%s/%s", kind.Kind, kind.Group, o.GetNamespace(), o.GetName())
}

func checkDistinct(objects []Object) error {
	first := make(map[string]Object, len(objects))
	for _, o := range objects {
		if other, ok := first[identity(o)]; ok {
			return fault(o.File, o.Line, "%s is also in %s", o.Title(), other.Where())
		}
		first[identity(o)] = o
	}
	return nil
}

// Distinct puts the renders of several add-ons beside each other, in the order
// of their needs: an object that two of them hold is an error that names both
// places, and a namespace that they share stays with the first.
func Distinct(sets [][]Object) ([][]Object, error) {
	first := make(map[string]Object)
	distinct := make([][]Object, len(sets))
	for i, set := range sets {
		for _, o := range set {
			other, doubled := first[identity(o)]
			switch {
			case doubled && o.generated:
				continue
			case doubled:
				return nil, fault(o.File, o.Line, "%s is also in %s", o.Title(), other.Where())
			}
			first[identity(o)] = o
			distinct[i] = append(distinct[i], o)
		}
	}
	return distinct, nil
}
