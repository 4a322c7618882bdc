// SPDX-License-Identifier: Apache-2.0

package apischema

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/tools/clientcmd"

	"clusterup.dev/clusterup/internal/testservers"
)

// openAPI is what an API server publishes of a type.
type openAPI struct {
	Properties map[string]any
	Required   []string
}

// What is known here is what an API server says: the same kinds are served, and
// every type has the same fields, of which the same have to be given.
func TestTheAPIServerAgrees(t *testing.T) {
	config, err := clientcmd.BuildConfigFromFlags("", testservers.APIServer(t))
	if err != nil {
		t.Fatal(err)
	}
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	paths, err := client.OpenAPIV3().Paths()
	if err != nil {
		t.Fatal(err)
	}
	published := map[string]openAPI{}
	for path, group := range paths {
		if !strings.HasPrefix(path, "api") {
			continue
		}
		text, err := group.Schema("application/json")
		if err != nil {
			t.Fatal(err)
		}
		var document struct {
			Components struct{ Schemas map[string]openAPI }
		}
		if err := json.Unmarshal(text, &document); err != nil {
			t.Fatal(err)
		}
		maps.Copy(published, document.Components.Schemas)
	}
	compared := map[reflect.Type]bool{}
	for _, kind := range all() {
		if Kind(kind) == nil {
			compare(t, published, kinds()[kind], compared)
		}
	}
	if len(compared) < 300 {
		t.Errorf("only %d types were compared", len(compared))
	}
	_, lists, err := client.ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	served := 0
	for _, list := range lists {
		for _, r := range list.APIResources {
			if kind := kindOf(list.GroupVersion, r); slices.Contains(r.Verbs, "patch") && !strings.Contains(r.Name, "/") {
				served++
				if p := Kind(kind); p != nil {
					t.Errorf("%s is served: %s", kind, p.Message)
				}
			}
		}
	}
	if served < 50 {
		t.Errorf("only %d kinds are served", served)
	}
}

func compare(t *testing.T, published map[string]openAPI, of reflect.Type, compared map[reflect.Type]bool) {
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice || of.Kind() == reflect.Map {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct || compared[of] {
		return
	}
	compared[of] = true
	theirs, ok := published[openAPIName(of)]
	if !ok || len(theirs.Properties) == 0 {
		return // not of k8s.io/api, not served here, or reads itself
	}
	fields := fieldsOf(of)
	for name := range theirs.Properties {
		if _, ok := fields[name]; !ok && !renamed[name] {
			t.Errorf("%s.%s has a field %s, which is not known here", of.PkgPath(), of.Name(), name)
		}
	}
	for name, f := range fields {
		key := strings.TrimPrefix(of.PkgPath(), "k8s.io/api/") + "." + of.Name() + "." + name
		needs := slices.Contains(theirs.Required, name)
		if f.required && !needs && theirs.Properties[name] != nil && !validated[key] {
			t.Errorf("%q is optional", key)
		}
		if !f.required && needs && !strings.Contains(of.Name(), "Status") {
			t.Errorf("%q is required", key)
		}
		compare(t, published, f.Type, compared)
	}
}

// renamed are alpha fields of the server's version that newer types have under
// another name.
var renamed = map[string]bool{"nodeAllocatableResourceMappings": true, "resources": true}

// openAPIName turns k8s.io/api/apps/v1.Deployment into io.k8s.api.apps.v1.Deployment.
func openAPIName(t reflect.Type) string {
	host, path, _ := strings.Cut(t.PkgPath(), "/")
	parts := strings.Split(host, ".")
	slices.Reverse(parts)
	return strings.Join(append(parts, strings.Split(path, "/")...), ".") + "." + t.Name()
}

func kindOf(groupVersion string, r metav1.APIResource) schema.GroupVersionKind {
	gv, _ := schema.ParseGroupVersion(groupVersion)
	return gv.WithKind(r.Kind)
}
