// SPDX-License-Identifier: Apache-2.0

package apischema

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"

	"clusterup.dev/clusterup/internal/strictyaml"
)

// removed is what types of k8s.io/api say that are no longer served.
type removed interface {
	APILifecycleRemoved() (major, minor int)
}

// kinds are the kinds that objects can be of, with their Go types. It is made
// when it is first asked for.
var kinds = sync.OnceValue(func() map[schema.GroupVersionKind]reflect.Type {
	all := map[schema.GroupVersionKind]reflect.Type{
		{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}: reflect.TypeFor[definition](),
		{Group: "apiregistration.k8s.io", Version: "v1", Kind: "APIService"}:             reflect.TypeFor[apiService](),
	}
	for kind, t := range scheme.Scheme.AllKnownTypes() {
		if field, ok := t.FieldByName("ObjectMeta"); ok && field.Anonymous && kind.Version != "__internal" {
			all[kind] = t
		}
	}
	return all
})

// BuiltIn reports whether the group belongs to Kubernetes itself, so that its
// kinds are known here.
func BuiltIn(group string) bool {
	for kind := range kinds() {
		if kind.Group == group {
			return true
		}
	}
	return false
}

// Kind says what is wrong with a kind of a built-in group; nil when it is served.
func Kind(kind schema.GroupVersionKind) *Problem {
	t, ok := kinds()[kind]
	if !ok {
		p := &Problem{Path: "kind", Message: fmt.Sprintf("there is no kind %s in %s", kind.Kind, kind.GroupVersion()), Hint: Suggest(kind)}
		if !slices.ContainsFunc(all(), func(k schema.GroupVersionKind) bool { return k.GroupVersion() == kind.GroupVersion() }) {
			p.Path, p.Message = "apiVersion", fmt.Sprintf("there is no apiVersion %s", kind.GroupVersion())
		}
		return p
	}
	old, ok := reflect.New(t).Interface().(removed)
	if !ok {
		return nil
	}
	major, minor := old.APILifecycleRemoved()
	if !past(major, minor) {
		return nil
	}
	p := &Problem{Path: "apiVersion", Message: fmt.Sprintf("%s of %s is gone since Kubernetes %d.%d", kind.Kind, kind.GroupVersion(), major, minor)}
	if next, ok := old.(interface {
		APILifecycleReplacement() schema.GroupVersionKind
	}); ok {
		p.Hint = "write apiVersion: " + next.APILifecycleReplacement().GroupVersion().String()
	}
	return p
}

// current is the minor version of Kubernetes 1 whose types these are (k8s.io/api).
const current = 37

func past(major, minor int) bool { return major == 1 && minor <= current }

// Suggest is a hint for a kind that does not exist: the same kind in another
// version or group, or the one with the nearest name. More are kinds that are
// defined elsewhere.
func Suggest(kind schema.GroupVersionKind, more ...schema.GroupVersionKind) string {
	known := append(slices.DeleteFunc(all(), func(k schema.GroupVersionKind) bool { return Kind(k) != nil }), more...)
	var same []string
	near := map[string]bool{}
	for _, k := range known {
		if k.Kind == kind.Kind {
			same = append(same, k.GroupVersion().String())
		}
		if k.GroupVersion() == kind.GroupVersion() {
			near[k.Kind] = true
		}
	}
	if len(same) > 0 {
		slices.SortFunc(same, func(a, b string) int { return older(a, b) })
		return fmt.Sprintf("%s is in %s", kind.Kind, strings.Join(slices.Compact(same), ", "))
	}
	if len(near) == 0 {
		for _, k := range known {
			near[k.Kind] = true
		}
	}
	if nearest := strictyaml.Nearest(kind.Kind, slices.Sorted(maps.Keys(near))); strings.HasPrefix(nearest, "did you mean") {
		return nearest
	}
	return ""
}

// older puts stable versions before beta and alpha ones.
func older(a, b string) int {
	unstable := func(s string) int {
		if strings.Contains(s, "alpha") {
			return 2
		}
		if strings.Contains(s, "beta") {
			return 1
		}
		return 0
	}
	if n := unstable(a) - unstable(b); n != 0 {
		return n
	}
	return strings.Compare(a, b)
}

func all() []schema.GroupVersionKind { return slices.Collect(maps.Keys(kinds())) }
