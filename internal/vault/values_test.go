// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"clusterup.dev/clusterup/addons"
)

// TestConfiguredValues proves that what the schema lets pass and Vault, or whoever
// reads values, cannot live with is refused with the path that leads to it.
func TestConfiguredValues(t *testing.T) {
	for name, c := range map[string]struct{ values, path, want string }{
		"all well": {values: "audit: [{name: siem, type: socket}]\nengines: [{path: transit, type: transit, maxTTL: 60, keys: [{name: a}]}, {path: pki, type: pki, commonName: X, roles: [{name: web, domains: [x]}]}]\nauth: [{path: userpass, type: userpass, description: people, users: [{name: jo, policies: [app]}]}]"},
		"device":   {"audit: [{name: stdout}]", "[audit 0 name]", "audit device stdout is not to be had: Vault or clusterup has it"},
		"file":     {"audit: [{name: a, type: file, options: {file_path: /var/log/a}}]", "[audit 0 options file_path]", `audit device a writes to "/var/log/a", and Vault's pods can write below /vault/audit/ only`},
		"twice":    {"audit: [{name: a}, {name: a}]", "[audit 1 name]", "audit device a is listed twice"},
		"engine":   {"engines: [{path: secret, type: kv-v2}]", "[engines 0 path]", "secrets engine secret is not to be had: Vault or clusterup has it"},
		"keys":     {"engines: [{path: a, type: kv-v2, keys: [{name: a}]}]", "[engines 0 keys]", "only transit has keys, and a is kv-v2"},
		"key":      {"engines: [{path: a, type: transit, keys: [{name: a}, {name: a}]}]", "[engines 0 keys 1 name]", "key a is listed twice"},
		"roles":    {"engines: [{path: a, type: transit, roles: [{name: a}]}]", "[engines 0 roles]", "only pki has roles, and a is transit"},
		"nameless": {"engines: [{path: a, type: pki}]", "[engines 0]", "the intermediate of a has no name"},
		"method":   {"auth: [{path: token, type: userpass}]", "[auth 0 path]", "auth method token is not to be had: Vault or clusterup has it"},
		"users":    {"auth: [{path: a, type: oidc, users: [{name: jo}]}]", "[auth 0 users]", "only userpass has users, and a is oidc"},
		"userpass": {"auth: [{path: a, type: userpass, roles: [{name: jo}]}]", "[auth 0]", "userpass has neither config nor roles"},
		"secret":   {"auth: [{path: a, type: oidc, config: {oidc_client_secret: x}}]", "[auth 0 config oidc_client_secret]", "oidc_client_secret is a secret, and values are no place for one"},
		"as root":  {"auth: [{path: a, type: userpass, users: [{name: jo, policies: [app, clusterup]}]}]", "[auth 0 users 0 policies 1]", "the policy clusterup is for clusterup alone"},
	} {
		t.Run(name, func(t *testing.T) {
			var values map[string]any
			if err := yaml.Unmarshal([]byte("threshold: 1\nholders: [{operator: alice}]\n"+c.values), &values); err != nil {
				t.Fatal(err)
			}
			s, err := ParseSettings(values, []string{"alice"}, "")
			var at *ValueError
			switch {
			case c.want == "" && (err != nil || s.Engines[0].MaxTTL != 60 || s.Auth[0].Description != "people"):
				t.Fatalf("%+v, %v", s, err)
			case c.want != "" && (!errors.As(err, &at) || fmt.Sprint(at.Path) != c.path || err.Error() != c.want):
				t.Errorf("%v at %+v", err, at)
			}
		})
	}
}

// TestOwnPolicy proves that clusterup's own policy allows what its file says and,
// of what values ask for, each thing and no more; and that Vault would take it.
func TestOwnPolicy(t *testing.T) {
	folder, err := fs.Sub(addons.FS, "vault")
	if err != nil {
		t.Fatal(err)
	}
	file, err := fs.ReadFile(folder, "files/policies/clusterup.hcl")
	if err != nil {
		t.Fatal(err)
	}
	own := func(s Settings) string {
		t.Helper()
		items, err := New(Config{Files: folder, Namespace: "vault", Settings: s}).managed()
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range items {
			if it.path == ownPolicy {
				return it.want["policy"].(string)
			}
		}
		return ""
	}
	if got := own(Settings{}); got != string(file) {
		t.Errorf("without values it is not what its file says:\n%s", got)
	}
	got := own(Settings{
		Audit:   []Device{{Name: "siem", Type: "socket"}},
		Engines: []Engine{{Path: "transit", Type: "transit", Keys: []TransitKey{{Name: "a"}, {Name: "b"}}}},
		Auth: []Method{
			{Path: "people", Type: "userpass", Tuning: Tuning{TTL: 60}, Users: []User{{Name: "jo"}}},
			{Path: "sso", Type: "oidc", Config: map[string]any{"default_role": "x"}, Roles: []MethodRole{{Name: "x"}}},
		},
	})
	if line, err := checkRules([]byte(got)); err != nil {
		t.Errorf("line %d: %v", line, err)
	}
	more, _ := strings.CutPrefix(got, strings.TrimSpace(string(file)))
	want := `

# What the values of the add-on vault ask for.
path "auth/people/users/+" {
  capabilities = ["read"]
}
path "auth/people/users/+/policies" {
  capabilities = ["update"]
}
path "auth/sso/config" {
  capabilities = ["read"]
}
path "auth/sso/role/*" {
  capabilities = ["create", "read", "update"]
}
path "sys/audit/siem" {
  capabilities = ["create", "update", "delete", "sudo"]
}
path "sys/auth/people" {
  capabilities = ["create", "update", "sudo"]
}
path "sys/auth/people/tune" {
  capabilities = ["read", "update", "sudo"]
}
path "sys/auth/sso" {
  capabilities = ["create", "update", "sudo"]
}
path "sys/mounts/transit" {
  capabilities = ["create", "update"]
}
path "transit/keys/*" {
  capabilities = ["create", "read", "update"]
}
`
	if more != want {
		t.Errorf("got %s\nwant %s", more, want)
	}
}
