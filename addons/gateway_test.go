// SPDX-License-Identifier: Apache-2.0

package addons_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"clusterup.dev/clusterup/addons"
	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/secret"
)

// With the Gateway API come its definitions, as they are in files, and a Gateway
// whose listeners have the ports that Traefik binds: otherwise it serves none. The
// golden files leave all that out for its length.
func TestGatewayAPI(t *testing.T) {
	catalog, err := addon.Find(addon.Source{Name: "built-in", Dir: "addons", FS: addons.FS})
	if err != nil {
		t.Fatal(err)
	}
	a, err := catalog.Get("ingress")
	if err != nil {
		t.Fatal(err)
	}
	specs, err := a.Specs("golden", a.Values)
	if err != nil {
		t.Fatal(err)
	}
	tokens := secret.Placeholders(append(specs, addon.Authority("golden")))
	objects, err := addon.Render(addon.Input{Addon: a, Values: a.Values, Environment: "golden", Tokens: tokens})
	if err != nil {
		t.Fatal(err)
	}
	var listeners []any
	var deployment string
	got, want := map[string]any{}, map[string]any{}
	for _, o := range objects {
		switch o.GetKind() {
		case "CustomResourceDefinition":
			got[o.GetName()] = o.Object["spec"]
		case "Gateway":
			listeners, _, _ = unstructured.NestedSlice(o.Object, "spec", "listeners")
		case "Deployment":
			deployment = fmt.Sprint(o.Object)
		}
	}
	for _, l := range listeners {
		l := l.(map[string]any)
		if bound := fmt.Sprintf("--entrypoints.%v.address=:%v ", l["name"], l["port"]); !strings.Contains(deployment, bound) {
			t.Errorf("no controller is told %s", bound)
		}
	}
	if len(listeners) != 2 || !strings.Contains(deployment, "--providers.kubernetesgateway=true") {
		t.Errorf("listeners %v of %s", listeners, deployment)
	}
	files, err := filepath.Glob("ingress/files/gateway-api/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(data, o); err != nil {
			t.Fatal(err)
		}
		want[strings.TrimSuffix(filepath.Base(file), ".yaml")+".gateway.networking.k8s.io"] = o.Object["spec"]
	}
	if diff := cmp.Diff(want, got); diff != "" || len(want) < 6 {
		t.Errorf("%d definitions; %s", len(want), diff)
	}
}
