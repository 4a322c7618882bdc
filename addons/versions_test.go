// SPDX-License-Identifier: Apache-2.0

package addons_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// What the local environment builds from a pinned module is what manifests
// name as the published image (docs/adr/0002): a version is raised in both.
func TestImagesAreThePinnedModules(t *testing.T) {
	files, err := filepath.Glob("*/addon.yaml")
	if err != nil {
		t.Fatal(err)
	}
	compared := map[string]int{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var a struct {
			Version string
			Images  map[string]string
		}
		if err := yaml.Unmarshal(data, &a); err != nil {
			t.Fatalf("addons/%s: %v", file, err)
		}
		for _, s := range []struct{ name, module, image, addon string }{
			{"consul", "github.com/hashicorp/consul", "docker.io/hashicorp/consul:", "consul"},
			{"vault", "github.com/hashicorp/vault", "docker.io/hashicorp/vault:", "vault"},
			{"traefik", "github.com/traefik/traefik/v3", "docker.io/library/traefik:v", "ingress"},
		} {
			tag, ok := strings.CutPrefix(a.Images[s.name], s.image)
			if !ok {
				continue
			}
			compared[s.name]++
			pinned := pinnedVersion(t, s.name, s.module)
			if tag != pinned {
				t.Errorf("addons/%s names %s, and tools/%s/go.mod pins v%s", file, a.Images[s.name], s.name, pinned)
			}
			if filepath.Dir(file) == s.addon && a.Version != pinned {
				t.Errorf("addons/%s is version %s, and tools/%s/go.mod pins v%s", file, a.Version, s.name, pinned)
			}
		}
	}
	if compared["consul"] < 2 || compared["vault"] < 1 || compared["traefik"] < 1 { // Vault's pods have a Consul agent
		t.Errorf("images that were compared: %v", compared)
	}
}

func pinnedVersion(t *testing.T, server, module string) string {
	t.Helper()
	path := filepath.Join("..", "tools", server, "go.mod")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^(?:require)?\s+` + regexp.QuoteMeta(module) + ` v(\S+)`)
	found := line.FindSubmatch(data)
	if found == nil {
		t.Fatalf("%s does not require %s", path, module)
	}
	return string(found[1])
}
