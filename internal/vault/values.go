// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Device is an audit device beside stdout.
type Device struct {
	Name    string            `json:"name"`
	Type    string            `json:"type"`    // file, socket
	Options map[string]string `json:"options"` // Vault's own: file_path, address, ...
}

// Tuning is what Vault calls so: how long what a mount gives lives, in seconds.
// Zero, and an empty description, are others' business.
type Tuning struct {
	Description string `json:"description"`
	TTL         int    `json:"ttl"`
	MaxTTL      int    `json:"maxTTL"`
}

// Engine is a secrets engine beside secret/.
type Engine struct {
	Path string `json:"path"`
	Type string `json:"type"` // kv-v2, transit, pki
	Tuning
	Keys       []TransitKey `json:"keys"`       // of transit
	CommonName string       `json:"commonName"` // of pki: the name of the cluster's intermediate
	Roles      []PKIRole    `json:"roles"`      // of pki
}

// TransitKey is an encryption key that never leaves Vault, unless it is exportable.
type TransitKey struct {
	Name       string `json:"name"`
	Type       string `json:"type"` // empty is aes256-gcm96
	Derived    bool   `json:"derived"`
	Exportable bool   `json:"exportable"`
	Rotate     int    `json:"rotate"` // seconds between rotations, zero for none
}

// PKIRole lets certificates be issued for names of some domains.
type PKIRole struct {
	Name    string   `json:"name"`
	Domains []string `json:"domains"` // these and all below them
	MaxTTL  int      `json:"maxTTL"`  // seconds; zero is thirty days

	by string // the add-on that asks for it; empty for the values
}

// Method is an auth method beside kubernetes: how people log in.
type Method struct {
	Path string `json:"path"`
	Type string `json:"type"` // userpass, oidc, jwt
	Tuning
	// Config is that of oidc and jwt in Vault's own fields. That of oidc needs the
	// client's secret, so a person writes it; here it is only compared.
	Config map[string]any `json:"config"`
	Roles  []MethodRole   `json:"roles"` // of oidc and jwt
	Users  []User         `json:"users"` // of userpass
}

// MethodRole is a role of oidc or jwt: who may log in, and with which policies.
type MethodRole struct {
	Name     string         `json:"name"`
	Policies []string       `json:"policies"`
	Settings map[string]any `json:"settings"` // the rest, in Vault's own fields; times in seconds
}

// User is somebody who has a password, which a person gives them, and the
// policies that they are held to.
type User struct {
	Name     string   `json:"name"`
	Policies []string `json:"policies"`
}

// What Vault has of its own, or clusterup, under these names.
var (
	ownDevices = []string{"stdout"}
	ownEngines = []string{"secret", "sys", "identity", "cubbyhole", "auth"}
	ownMethods = []string{"kubernetes", "token"}
)

// auditFolder is mounted into Vault's pods for audit devices of type file.
const auditFolder = "/vault/audit/"

func checkConfigured(s Settings, _ []string) error {
	devices, engines, methods := unique(ownDevices), unique(ownEngines), unique(ownMethods)
	for i, d := range s.Audit {
		if err := devices("audit device", d.Name, "audit", i, "name"); err != nil {
			return err
		}
		if path := d.Options["file_path"]; d.Type == "file" && !strings.HasPrefix(path, auditFolder) {
			return wrong([]any{"audit", i, "options", "file_path"}, "write file_path: "+auditFolder+d.Name+".log", "audit device %s writes to %q, and Vault's pods can write below %s only", d.Name, path, auditFolder)
		}
	}
	for i, e := range s.Engines {
		if err := engines("secrets engine", e.Path, "engines", i, "path"); err != nil {
			return err
		}
		if err := e.check(i); err != nil {
			return err
		}
	}
	for i, m := range s.Auth {
		if err := methods("auth method", m.Path, "auth", i, "path"); err != nil {
			return err
		}
		if err := m.check(i); err != nil {
			return err
		}
	}
	return nil
}

// unique refuses what is there already, or comes again.
func unique(own []string) func(kind, name string, path ...any) error {
	seen := map[string]bool{}
	for _, name := range own {
		seen[name] = true
	}
	return func(kind, name string, path ...any) error {
		switch {
		case slices.Contains(own, name):
			return wrong(path, "choose another name", "%s %s is not to be had: Vault or clusterup has it", kind, name)
		case seen[name]:
			return wrong(path, "", "%s %s is listed twice", kind, name)
		}
		seen[name] = true
		return nil
	}
}

func (e Engine) check(n int) error {
	keys, roles := unique(nil), unique(nil)
	for i, k := range e.Keys {
		if e.Type != "transit" {
			return wrong([]any{"engines", n, "keys"}, "", "only transit has keys, and %s is %s", e.Path, e.Type)
		}
		if err := keys("key", k.Name, "engines", n, "keys", i, "name"); err != nil {
			return err
		}
	}
	for i, r := range e.Roles {
		if e.Type != "pki" {
			return wrong([]any{"engines", n, "roles"}, "", "only pki has roles, and %s is %s", e.Path, e.Type)
		}
		if err := roles("role", r.Name, "engines", n, "roles", i, "name"); err != nil {
			return err
		}
	}
	if e.Type == "pki" && e.CommonName == "" {
		return wrong([]any{"engines", n}, "write commonName: NAME", "the intermediate of %s has no name", e.Path)
	}
	return nil
}

func (m Method) check(n int) error {
	at := func(path ...any) []any { return append([]any{"auth", n}, path...) }
	if m.Type == "userpass" && (len(m.Config) > 0 || len(m.Roles) > 0) {
		return wrong(at(), "it has users", "userpass has neither config nor roles")
	}
	if m.Type != "userpass" && len(m.Users) > 0 {
		return wrong(at("users"), "it has roles", "only userpass has users, and %s is %s", m.Path, m.Type)
	}
	users, roles := unique(nil), unique(nil)
	for i, u := range m.Users {
		if err := users("user", u.Name, at("users", i, "name")...); err != nil {
			return err
		}
		if err := notOwn(u.Policies, at("users", i, "policies")); err != nil {
			return err
		}
	}
	for i, r := range m.Roles {
		if err := roles("role", r.Name, at("roles", i, "name")...); err != nil {
			return err
		}
		if err := notOwn(r.Policies, at("roles", i, "policies")); err != nil {
			return err
		}
		if err := noSecrets(r.Settings, at("roles", i, "settings")); err != nil {
			return err
		}
	}
	return noSecrets(m.Config, at("config"))
}

// notOwn refuses the policy that is clusterup's own: whoever has it is as good as root.
func notOwn(policies []string, at []any) error {
	if i := slices.Index(policies, ownRole); i >= 0 {
		return wrong(append(at, i), "give people a policy that allows what they do", "the policy %s is for clusterup alone", ownRole)
	}
	return nil
}

// noSecrets refuses fields that hold secrets: values are read by many.
func noSecrets(fields map[string]any, at []any) error {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if strings.Contains(name, "secret") || strings.Contains(name, "password") || strings.HasSuffix(name, "private_key") {
			return wrong(append(at, name), "leave it out: a person writes it to Vault", "%s is a secret, and values are no place for one", name)
		}
	}
	return nil
}

func (t Tuning) fields() map[string]any {
	fields := map[string]any{}
	if t.Description != "" {
		fields["description"] = t.Description
	}
	if t.TTL != 0 {
		fields["default_lease_ttl"] = float64(t.TTL)
	}
	if t.MaxTTL != 0 {
		fields["max_lease_ttl"] = float64(t.MaxTTL)
	}
	return fields
}

func (k TransitKey) String() string { return fmt.Sprintf("transit key %s", k.Name) }
