// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// phase orders the writing of items: what a later one needs comes first.
type phase int

const (
	auditing phase = iota // before anything else, so that all of it is logged
	allowing              // clusterup's own policy: it may have to see and write more than before
	mounting
	configuring
	finishing // what stands in something that is configured
	phases
)

// item is one thing in Vault that is managed: where it is read, which of its
// fields are held to which values, and how it is written. Fields that are not
// named, and things that are not listed, belong to others.
type item struct {
	subject string
	phase   phase
	path    string         // of the API, for reading and writing
	from    string         // for reading, if that is another one
	list    string         // when the API reads it only in a list: that list's path
	key     string         // and its name there
	mount   string         // the engine or auth method that it is in, "transit/"; empty for none of the values
	of      string         // and the list that that is in
	want    map[string]any // field → value, in JSON's terms
	fixed   bool           // it cannot be changed in place: a difference is refused
	replace bool           // it cannot be changed in place: it is taken away and made again
	note    string         // a clause that its changes carry: who asks for it
	byHand  string         // only a person can write it: why and how
	absent  string         // only a person can make it: how
	grants  []grant        // what clusterup's own policy has to allow, beyond its file
	special *intermediate  // what is compared and written in a way of its own
}

// The names of clusterup's own way in.
const (
	ownRole  = "clusterup" // role and ServiceAccount
	audience = "vault"
	tokenTTL = 600  // seconds, of clusterup's own tokens
	podTTL   = 3600 // seconds, of a role's tokens unless it says otherwise

	ownPolicy = "sys/policies/acl/" + ownRole
)

// managed is the list of everything that clusterup holds in place in Vault.
func (v *Vault) managed() ([]item, error) {
	items := []item{
		device("stdout", "file", map[string]string{"file_path": "stdout"}),
		{
			subject: "secrets engine secret", phase: mounting, path: "sys/mounts/secret", list: "sys/mounts", key: "secret/",
			want: map[string]any{"type": "kv", "options": map[string]any{"version": "2"}}, fixed: true,
		},
		{
			subject: "auth method kubernetes", phase: mounting, path: "sys/auth/kubernetes", list: "sys/auth", key: "kubernetes/",
			want: map[string]any{"type": "kubernetes"}, fixed: true,
		},
		{
			subject: "auth method kubernetes: configuration", phase: configuring, path: "auth/kubernetes/config",
			want: map[string]any{
				"kubernetes_host":      v.cfg.Reviewer.host(),
				"kubernetes_ca_cert":   v.cfg.Reviewer.CA,
				"disable_local_ca_jwt": v.cfg.Reviewer.CA != "",
			},
		},
		role(Role{Name: ownRole, ServiceAccounts: []string{ownRole}, Namespaces: []string{v.cfg.Namespace}, Policies: []string{ownRole}, TTL: tokenTTL},
			map[string]any{"token_no_default_policy": true}),
	}
	policies, err := policies(v.cfg.Files)
	if err != nil {
		return nil, err
	}
	items = append(items, policies...)
	for _, r := range v.cfg.Settings.Roles {
		items = append(items, role(r, nil))
	}
	items = slices.Concat(items, asked(v.cfg.Asks), audits(v.cfg.Settings.Audit), engines(withAsked(v.cfg.Settings.Engines, v.cfg.Asks), v.cfg.Authority), methods(v.cfg.Settings.Auth))
	return allowed(items, v.snapshotGrants()), nil
}

// allowed completes clusterup's own policy: its file allows what is always managed,
// and to write itself; the items say what they need besides, and own what clusterup does.
func allowed(items []item, own []grant) []item {
	at := slices.IndexFunc(items, func(it item) bool { return it.path == ownPolicy })
	policy := &items[at]
	policy.phase, policy.grants = allowing, own
	rules := policy.want["policy"].(string) //nolint:forcetypeassert // policy made it
	if more := grants(items); len(more) > 0 {
		rules = strings.TrimSpace(rules) + "\n\n# What the values of the add-on vault ask for.\n"
		for _, g := range more {
			rules += fmt.Sprintf("path %q {\n  capabilities = [\"%s\"]\n}\n", g.path, strings.Join(strings.Split(g.rights, ", "), `", "`))
		}
	}
	policy.want = map[string]any{"policy": rules}
	return items
}

// policyFiles are the policies of the add-on's folder.
const policyFiles = "files/policies/*.hcl"

// policies makes an item of every policy file. clusterup's own must be there:
// without it the login that replaces the root token could do nothing.
func policies(files fs.FS) ([]item, error) {
	names, err := fs.Glob(files, policyFiles)
	if err != nil {
		return nil, fmt.Errorf("finding Vault's policies: %w", err)
	}
	if own := path.Join(path.Dir(policyFiles), ownRole+".hcl"); !slices.Contains(names, own) {
		return nil, fmt.Errorf("the add-on vault has no %s, and clusterup logs in with it", own)
	}
	items := make([]item, 0, len(names))
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("reading a policy of Vault's: %w", err)
		}
		items = append(items, policy(strings.TrimSuffix(path.Base(name), ".hcl"), string(text)))
	}
	return items, nil
}

func policy(name, rules string) item {
	return item{
		subject: "policy " + name, phase: configuring, path: "sys/policies/acl/" + name,
		want: map[string]any{"policy": rules},
	}
}

func role(r Role, extra map[string]any) item {
	if r.Audience == "" {
		r.Audience = audience
	}
	if r.TTL == 0 {
		r.TTL = podTTL
	}
	want := map[string]any{
		"bound_service_account_names":      list(r.ServiceAccounts),
		"bound_service_account_namespaces": list(r.Namespaces),
		"token_policies":                   list(r.Policies),
		"audience":                         r.Audience,
		"token_ttl":                        float64(r.TTL),
		"token_max_ttl":                    float64(r.TTL),
	}
	for k, v := range extra {
		want[k] = v
	}
	return item{subject: "role " + r.Name, phase: configuring, path: "auth/kubernetes/role/" + r.Name, want: want}
}

func list(names []string) []any {
	out := make([]any, 0, len(names))
	for _, n := range names {
		out = append(out, n)
	}
	return out
}
