// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// audits are the audit devices of the values.
func audits(devices []Device) []item {
	items := make([]item, 0, len(devices))
	for _, d := range devices {
		it := device(d.Name, d.Type, d.Options)
		it.phase, it.grants = mounting, []grant{{it.path, "create, update, delete, sudo"}}
		items = append(items, it)
	}
	return items
}

func device(name, kind string, options map[string]string) item {
	set := make(map[string]any, len(options))
	for k, v := range options {
		set[k] = v
	}
	return item{
		subject: "audit device " + name, phase: auditing, path: "sys/audit/" + name, list: "sys/audit", key: name + "/",
		want: map[string]any{"type": kind, "options": set}, replace: true,
	}
}

// engines are the secrets engines of the values and what is in them.
func engines(all []Engine, by Authority) []item {
	var items []item
	for _, e := range all {
		want := map[string]any{"type": e.Type}
		if e.Type == "kv-v2" {
			want = map[string]any{"type": "kv", "options": map[string]any{"version": "2"}}
		}
		mount := item{
			subject: "secrets engine " + e.Path, phase: mounting, path: "sys/mounts/" + e.Path, list: "sys/mounts", key: e.Path + "/",
			want: want, fixed: true,
		}
		mount.grants = []grant{{mount.path, "create, update"}}
		items = append(items, mount)
		items = append(items, tuned(mount, e.Tuning)...)
		for _, k := range e.Keys {
			items = append(items, transitKey(mount, k)...)
		}
		items = append(items, e.pki(mount, by)...)
	}
	return items
}

// tuned holds the tuning of a mount in place; there is none when nothing is set.
func tuned(mount item, t Tuning) []item {
	fields := t.fields()
	if len(fields) == 0 {
		return nil
	}
	path, rights := mount.path+"/tune", "read, update"
	if mount.list == "sys/auth" {
		rights += ", sudo"
	}
	return []item{{
		subject: mount.subject + ": tuning", phase: configuring, path: path, mount: mount.key, of: mount.list,
		want: fields, grants: []grant{{path, rights}},
	}}
}

// transitKey makes a key and holds in place what can be changed of it.
func transitKey(mount item, k TransitKey) []item {
	base := mount.key + "keys/"
	path := base + k.Name
	return []item{
		{
			subject: fmt.Sprintf("key %s of %s", k.Name, mount.key), phase: configuring, path: path, mount: mount.key, of: mount.list,
			want:  map[string]any{"type": cmp.Or(k.Type, "aes256-gcm96"), "derived": k.Derived, "exportable": k.Exportable},
			fixed: true, grants: []grant{{base + "*", "create, read, update"}},
		},
		{
			subject: fmt.Sprintf("key %s of %s: configuration", k.Name, mount.key), phase: finishing, path: path + "/config", from: path,
			mount: mount.key, of: mount.list,
			want: map[string]any{"auto_rotate_period": float64(k.Rotate), "deletion_allowed": false},
		},
	}
}

// methods are the auth methods of the values and who may log in through them.
func methods(all []Method) []item {
	var items []item
	for _, m := range all {
		mount := item{
			subject: "auth method " + m.Path, phase: mounting, path: "sys/auth/" + m.Path, list: "sys/auth", key: m.Path + "/",
			want: map[string]any{"type": m.Type}, fixed: true,
		}
		mount.grants = []grant{{mount.path, "create, update, sudo"}}
		items = append(items, mount)
		items = append(items, tuned(mount, m.Tuning)...)
		if len(m.Config) > 0 {
			items = append(items, m.config(mount))
		}
		for _, r := range m.Roles {
			items = append(items, m.role(mount, r))
		}
		for _, u := range m.Users {
			items = append(items, m.user(mount, u))
		}
	}
	return items
}

func (m Method) config(mount item) item {
	path := "auth/" + m.Path + "/config"
	it := item{
		subject: mount.subject + ": configuration", phase: configuring, path: path, mount: mount.key, of: mount.list,
		want: maps.Clone(m.Config), grants: []grant{{path, "create, read, update"}},
	}
	if m.Type == "oidc" {
		it.byHand = fmt.Sprintf("it needs the client's secret: vault write %s oidc_client_secret=... with all other fields", path)
		it.grants = []grant{{path, "read"}}
	}
	return it
}

func (m Method) role(mount item, r MethodRole) item {
	base := "auth/" + m.Path + "/role/"
	want := map[string]any{"role_type": m.Type, "token_policies": list(r.Policies)}
	maps.Copy(want, r.Settings)
	return item{
		subject: fmt.Sprintf("role %s of %s", r.Name, mount.key), phase: finishing, path: base + r.Name, mount: mount.key, of: mount.list,
		want: want, grants: []grant{{base + "*", "create, read, update"}},
	}
}

func (m Method) user(mount item, u User) item {
	base := "auth/" + m.Path + "/users/"
	return item{
		subject: fmt.Sprintf("user %s of %s", u.Name, mount.key), phase: finishing, path: base + u.Name + "/policies", from: base + u.Name,
		mount: mount.key, of: mount.list, want: map[string]any{"token_policies": list(u.Policies)},
		absent: fmt.Sprintf("a person gives them a password: vault write %s%s password=-", base, u.Name),
		grants: []grant{{base + "+", "read"}, {base + "+/policies", "update"}},
	}
}

// grant is what clusterup's own policy has to allow beyond what its file says.
type grant struct{ path, rights string }

// grants are those of all items, sorted, each once.
func grants(items []item) []grant {
	rights := map[string]string{}
	for _, it := range items {
		for _, g := range it.grants {
			rights[g.path] = g.rights
		}
	}
	var all []grant
	for _, path := range slices.Sorted(maps.Keys(rights)) {
		all = append(all, grant{path, rights[path]})
	}
	return all
}
