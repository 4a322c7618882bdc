// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"clusterup.dev/clusterup/addons"
	"clusterup.dev/clusterup/internal/hint"
)

const goodRules = "path \"secret/data/shop/*\" {\n  capabilities = [\"read\"]\n}\n"

// shopFiles are the files that an add-on's policies may be in.
func shopFiles(rules string) func(string) ([]byte, error) {
	files := fstest.MapFS{"files/vault.hcl": {Data: []byte(rules)}}
	return func(path string) ([]byte, error) { return fs.ReadFile(files, path) }
}

func parse(t *testing.T, section, rules string) (Ask, error) {
	t.Helper()
	var read map[string]any
	if err := yaml.Unmarshal([]byte(section), &read); err != nil {
		t.Fatal(err)
	}
	return ParseAsk("shop", "store", read, shopFiles(rules))
}

// TestParseAsk proves that a section is read whole, and that a role without
// namespaces gets the add-on's.
func TestParseAsk(t *testing.T) {
	got, err := parse(t, `
policies: [{name: shop, file: files/vault.hcl}, {name: shop-two, rules: 'path "a/b" { policy = "read" }'}]
roles: [{name: shop, serviceAccounts: [web], policies: [shop]}, {name: two, serviceAccounts: [x], namespaces: [other], policies: [shop-two], ttl: 600, audience: z}]
`, goodRules)
	if err != nil {
		t.Fatal(err)
	}
	want := Ask{
		Addon:    "shop",
		Policies: []Policy{{Name: "shop", File: "files/vault.hcl", Rules: goodRules}, {Name: "shop-two", Rules: `path "a/b" { policy = "read" }`}},
		Roles: []Role{
			{Name: "shop", ServiceAccounts: []string{"web"}, Namespaces: []string{"store"}, Policies: []string{"shop"}},
			{Name: "two", ServiceAccounts: []string{"x"}, Namespaces: []string{"other"}, Policies: []string{"shop-two"}, Audience: "z", TTL: 600},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestWrongAsk proves that each mistake is refused with its place and, where
// there is a way out, a hint.
func TestWrongAsk(t *testing.T) {
	const file = "policies: [{name: shop, file: files/vault.hcl}]"
	for name, c := range map[string]struct{ section, rules, where, want, hint string }{
		"unknown field":        {section: "{policy: []}", where: "[policy]", want: `unknown field "policy"`, hint: "did you mean policies?"},
		"no list":              {section: "{roles: web}", where: "[roles]", want: "roles has to be a list"},
		"unknown in a role":    {section: "roles: [{name: a, serviceAccount: [b]}]", where: "[roles 0]", want: `unknown field "serviceAccount"`},
		"wrong type":           {section: "roles: [{name: a, serviceAccounts: b}]", where: "[roles 0]", want: "serviceAccounts has to be a list, and is a string"},
		"no mapping":           {section: "roles: [web]", where: "[roles 0]", want: "it has to be a mapping, and is a string"},
		"name":                 {section: "roles: [{name: A b}]", where: "[roles 0 name]", want: `"A b" cannot be the name of a role of Vault's`, hint: "small letters, digits and hyphens"},
		"nobody":               {section: "roles: [{name: a, policies: [b]}]", where: "[roles 0]", want: "role a names no service account", hint: "write serviceAccounts: [NAME]"},
		"nothing":              {section: "roles: [{name: a, serviceAccounts: [b]}]", where: "[roles 0]", want: "role a names no policy, so who logs in with it may do nothing", hint: "write policies: [NAME]"},
		"star and more":        {section: "roles: [{name: a, serviceAccounts: ['*', b], policies: [c]}]", where: "[roles 0 serviceAccounts]", want: "role a: * stands for all serviceAccounts, and others stand beside it"},
		"ttl":                  {section: "roles: [{name: a, serviceAccounts: [b], policies: [c], ttl: 5}]", where: "[roles 0 ttl]", want: "role a: tokens that live 5 s end before they are used; ttl is in seconds, 60 at least"},
		"neither":              {section: "policies: [{name: a}]", where: "[policies 0]", want: "policy a needs either a file or rules"},
		"no domain":            {section: "certificates: [{name: a}]", where: "[certificates 0]", want: "certificates a are for no domain", hint: "write domains: [NAME]"},
		"any domain":           {section: "certificates: [{name: a, domains: [x.test, '*']}]", where: "[certificates 0 domains 1]", want: `certificates a: "*" is no domain`, hint: "small letters, digits, hyphens and dots; names below a domain are allowed with it"},
		"top of all domains":   {section: "certificates: [{name: a, domains: [com]}]", where: "[certificates 0 domains 0]", want: `certificates a: "com" is no domain`, hint: "small letters, digits, hyphens and dots; names below a domain are allowed with it"},
		"short life":           {section: "certificates: [{name: a, domains: [x.test], maxTTL: 60}]", where: "[certificates 0 maxTTL]", want: "certificates a: one that lives 60 s ends before it is used; maxTTL is in seconds, 3600 at least"},
		"certificates' name":   {section: "certificates: [{name: A, domains: [x.test]}]", where: "[certificates 0 name]", want: `"A" cannot be the name of a role of Vault's`, hint: "small letters, digits and hyphens"},
		"both":                 {section: "policies: [{name: a, file: b, rules: c}]", where: "[policies 0]", want: "policy a needs either a file or rules"},
		"no file":              {section: "policies: [{name: a, file: files/b}]", where: "[policies 0 file]", want: "policy a: open files/b: file does not exist"},
		"rules here":           {section: "policies: [{name: a, rules: 'path'}]", where: "[policies 0 rules]", want: "policy a: key 'path' expected start of object ('{') or assignment ('=')"},
		"syntax":               {section: file, rules: "path \"a\" {\n  capabilities = [\n}\n", where: "files/vault.hcl:3", want: "policy shop: unexpected token while parsing list: RBRACE"},
		"unknown capability":   {section: file, rules: "path \"a\" {\n  capabilities = [\"read\",\n    \"wirte\", \"raed\"]\n}\n", where: "files/vault.hcl:3", want: `policy shop: path "a": unknown capability "wirte"`, hint: "there are: create, delete, deny, list, patch, read, recover, subscribe, sudo, update"},
		"nearest capability":   {section: file, rules: "path \"a\" {\n  capabilities = [\"raed\"]\n}\n", where: "files/vault.hcl:2", want: `policy shop: path "a": unknown capability "raed"`, hint: "did you mean read?"},
		"capabilities no list": {section: file, rules: "path \"a\" {\n  capabilities = \"read\"\n}\n", where: "files/vault.hcl:2", want: `policy shop: path "a": capabilities is no list`, hint: `write capabilities = ["read"]`},
		"shorthand":            {section: file, rules: "path \"a\" { policy = \"rite\" }\n", where: "files/vault.hcl:1", want: `policy shop: path "a": unknown policy "rite"`, hint: "did you mean write?"},
		"unknown of a path":    {section: file, rules: "path \"a\" {\n  capability = [\"read\"]\n}\n", where: "files/vault.hcl:2", want: `policy shop: path "a": unknown field "capability"`, hint: "did you mean capabilities?"},
		"no path":              {section: file, rules: "key \"a\" { policy = \"read\" }\n", where: "files/vault.hcl:1", want: `policy shop: a policy has no "key"`, hint: `rules are path "..." { capabilities = [...] }`},
		"wildcards":            {section: file, rules: "path \"a/+*\" { capabilities = [\"read\"] }\n", where: "files/vault.hcl:1", want: `policy shop: path "a/+*": Vault knows no +*`, hint: "+ stands for one part of a path, * at the end for all that follows"},
		"empty":                {section: file, rules: "# nothing\n", where: "files/vault.hcl:0", want: "policy shop: there is no rule in it", hint: `write path "secret/data/app/*" { capabilities = ["read"] }`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(t, c.section, c.rules)
			var wrong *AskError
			if !errors.As(err, &wrong) {
				t.Fatalf("%v", err)
			}
			where := fmt.Sprint(wrong.Path)
			if wrong.File != "" {
				where = fmt.Sprintf("%s:%d", wrong.File, wrong.Line)
			}
			if where != c.where || err.Error() != c.want || hint.Of(err) != c.hint {
				t.Errorf("got  %s: %s (%s)\nwant %s: %s (%s)", where, err, hint.Of(err), c.where, c.want, c.hint)
			}
		})
	}
}

// TestAsksAgainstEachOther proves that a name has one owner, and that a role of
// an add-on has no policy that nobody made or that is as good as root.
func TestAsksAgainstEachOther(t *testing.T) {
	folder, err := fs.Sub(addons.FS, "vault")
	if err != nil {
		t.Fatal(err)
	}
	policy := func(name string) []Policy { return []Policy{{Name: name, Rules: goodRules}} }
	role := func(name, policy string) []Role {
		return []Role{{Name: name, ServiceAccounts: []string{"x"}, Namespaces: []string{"y"}, Policies: []string{policy}}}
	}
	certificates := func(name string) []PKIRole { return []PKIRole{{Name: name, Domains: []string{"x.test"}}} }
	settings := Settings{Roles: role("valued", "app"), Engines: []Engine{{Path: "pki", Type: "pki", Roles: certificates("valued")}}}
	good := Ask{Addon: "a", Policies: policy("shop"), Roles: role("shop", "shop"), Certificates: certificates("shop")}
	for name, c := range map[string]struct {
		ask              Ask
		path, want, hint string
	}{
		"fits":                {ask: Ask{Addon: "b", Policies: policy("other"), Roles: role("other", "app")}},
		"another's policy":    {ask: Ask{Addon: "b", Roles: role("other", "shop")}},
		"Vault's default":     {ask: Ask{Addon: "b", Roles: role("other", "default")}},
		"policy of another":   {Ask{Addon: "b", Policies: policy("shop")}, "[policies 0 name]", "shop is taken: a has it", "choose another name, such as b-shop"},
		"policy of vault's":   {Ask{Addon: "b", Policies: policy("app")}, "[policies 0 name]", "app is taken: the add-on vault (files/policies/app.hcl) has it", "choose another name, such as b-app"},
		"Vault's own policy":  {Ask{Addon: "b", Policies: policy("default")}, "[policies 0 name]", "default is taken: Vault itself has it", "choose another name, such as b-default"},
		"policy twice":        {Ask{Addon: "b", Policies: append(policy("x"), policy("x")...)}, "[policies 1 name]", "x is asked for twice", ""},
		"role of another":     {Ask{Addon: "b", Roles: role("shop", "app")}, "[roles 0 name]", "shop is taken: a has it", "choose another name, such as b-shop"},
		"role of the values":  {Ask{Addon: "b", Roles: role("valued", "app")}, "[roles 0 name]", "valued is taken: the values of vault has it", "choose another name, such as b-valued"},
		"clusterup's role":    {Ask{Addon: "b", Roles: role("clusterup", "app")}, "[roles 0 name]", "clusterup is taken: clusterup itself has it", "choose another name, such as b-clusterup"},
		"certificates":        {ask: Ask{Addon: "b", Certificates: certificates("other")}},
		"ones of another":     {Ask{Addon: "b", Certificates: certificates("shop")}, "[certificates 0 name]", "shop is taken: a has it", "choose another name, such as b-shop"},
		"ones of the values":  {Ask{Addon: "b", Certificates: certificates("valued")}, "[certificates 0 name]", "valued is taken: the values of vault has it", "choose another name, such as b-valued"},
		"policy of nobody":    {Ask{Addon: "b", Roles: role("x", "redonly")}, "[roles 0 policies 0]", `role x: there is no policy "redonly"`, "did you mean readonly?"},
		"clusterup's policy":  {Ask{Addon: "b", Roles: role("x", "clusterup")}, "[roles 0 policies 0]", "role x: the policy clusterup is not to be had: whoever has it may do anything in Vault", "ask for a policy of your own that allows what the pods need"},
		"the policy of roots": {Ask{Addon: "b", Roles: role("x", "root")}, "[roles 0 policies 0]", "role x: the policy root is not to be had: whoever has it may do anything in Vault", "ask for a policy of your own that allows what the pods need"},
	} {
		t.Run(name, func(t *testing.T) {
			err := CheckAsks(folder, settings, []Ask{good, c.ask})
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var wrong *AskError
			if !errors.As(err, &wrong) || wrong.Addon != "b" || fmt.Sprint(wrong.Path) != c.path || err.Error() != c.want || hint.Of(err) != c.hint {
				t.Errorf("got %v (%s) at %+v", err, hint.Of(err), wrong)
			}
		})
	}
}

// TestEngineOfCertificates proves that the engine is there for whom asks, that one
// of the values keeps its name and its roles, and that another engine in its place
// is refused.
func TestEngineOfCertificates(t *testing.T) {
	ask := []Ask{{Addon: "a"}, {Addon: "b", Certificates: []PKIRole{{Name: "b", Domains: []string{"x.test"}}}}}
	values := []Engine{{Path: "team", Type: "kv-v2"}, {Path: "pki", Type: "pki", CommonName: "mine", Roles: []PKIRole{{Name: "web"}}}}
	got := []string{
		fmt.Sprint(withAsked(nil, ask[:1])), fmt.Sprint(withAsked(nil, ask)), fmt.Sprint(withAsked(values, ask)), fmt.Sprint(values),
	}
	want := []string{
		"[]", "[{pki pki { 0 0} [] cluster CA [{b [x.test] 0 }]}]",
		"[{team kv-v2 { 0 0} []  []} {pki pki { 0 0} [] mine [{web [] 0 } {b [x.test] 0 }]}]", "[{team kv-v2 { 0 0} []  []} {pki pki { 0 0} [] mine [{web [] 0 }]}]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	folder, err := fs.Sub(addons.FS, "vault")
	if err != nil {
		t.Fatal(err)
	}
	err = CheckAsks(folder, Settings{Engines: []Engine{{Path: "pki", Type: "transit"}}}, ask)
	if err == nil || err.Error() != "the values of vault have an engine transit at pki, where add-ons ask for certificates" || hint.Of(err) == "" {
		t.Error(err)
	}
}

// FuzzRules proves that no text of a policy ends the program.
func FuzzRules(f *testing.F) {
	for _, seed := range []string{goodRules, `{"path": {"a": {"capabilities": ["read"]}}}`, "path {}", "path = 1", `path "a" = 1`, `path "a" "b" {}`, "name = \"x\"", "path \"a\" { capabilities = [[1]] }"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(_ *testing.T, rules []byte) { _, _ = checkRules(rules) })
}
