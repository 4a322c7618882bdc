// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"io/fs"
	"testing"

	"sigs.k8s.io/yaml"

	"clusterup.dev/clusterup/addons"
)

// TestAgentIsOfTheServersVersion proves that the Consul agent beside each Vault
// is the very image that the servers run.
func TestAgentIsOfTheServersVersion(t *testing.T) {
	image := func(folder string) string {
		t.Helper()
		data, err := fs.ReadFile(addons.FS, folder+"/addon.yaml")
		if err != nil {
			t.Fatal(err)
		}
		var meta struct {
			Images map[string]string `json:"images"`
		}
		if err := yaml.Unmarshal(data, &meta); err != nil {
			t.Fatal(err)
		}
		return meta.Images["consul"]
	}
	if agent, server := image("vault"), image("consul"); agent != server || agent == "" {
		t.Errorf("the agents run %q, the servers %q", agent, server)
	}
}

// TestManagedItems proves that everything written is on the list that
// docs/vault.md gives, and that a folder without clusterup's own policy is refused.
func TestManagedItems(t *testing.T) {
	folder, err := fs.Sub(addons.FS, "vault")
	if err != nil {
		t.Fatal(err)
	}
	v := New(Config{Files: folder, Namespace: "vault"})
	items, err := v.managed()
	if err != nil {
		t.Fatal(err)
	}
	paths := map[string]bool{}
	for _, it := range items {
		if paths[it.path] || len(it.want) == 0 {
			t.Errorf("%s is listed twice, or holds nothing in place", it.subject)
		}
		paths[it.path] = true
	}
	for _, path := range []string{"sys/audit/stdout", "auth/kubernetes/role/clusterup", "sys/policies/acl/clusterup", "sys/policies/acl/app"} {
		if !paths[path] {
			t.Errorf("%s is not managed", path)
		}
	}
	empty, err := fs.Sub(addons.FS, "vault/manifests")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{Files: empty}).managed(); err == nil {
		t.Error("a folder without policies passes")
	}
}
