// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/tools/clientcmd"

	"clusterup.dev/clusterup/internal/testservers"
)

var update = flag.Bool("update", false, "write apis.txt anew")

// What charts are told about the cluster is what a real API server of that
// version says.
func TestAPIs(t *testing.T) {
	config, err := clientcmd.BuildConfigFromFlags("", testservers.APIServer(t))
	if err != nil {
		t.Fatal(err)
	}
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	version, err := client.ServerVersion()
	if err != nil || version.GitVersion != KubeVersion {
		t.Errorf("the API server is %v, %v", version, err)
	}
	_, lists, err := client.ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, list := range lists {
		names[list.GroupVersion] = true
		for _, resource := range list.APIResources {
			if !strings.Contains(resource.Name, "/") {
				names[list.GroupVersion+"/"+resource.Kind] = true
			}
		}
	}
	got := strings.Join(slices.Sorted(maps.Keys(names)), "\n") + "\n"
	if *update {
		if err := os.WriteFile("apis.txt", []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(got, served); diff != "" && !*update {
		t.Error(diff)
	}
}
