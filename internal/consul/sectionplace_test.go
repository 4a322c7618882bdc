// SPDX-License-Identifier: Apache-2.0

package consul_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"clusterup.dev/clusterup/internal/consul"
	"clusterup.dev/clusterup/internal/hint"
)

// What is wrong in a section, or in the file of a policy, is named with its
// place and, where there is one, with what was meant.
func TestWrongSectionsArePlaced(t *testing.T) {
	source := consul.Source{
		Addon: "web", Dir: "addons/web", Namespace: "web", Tokens: []string{"consul"},
		At: func(path ...any) string { return strings.ReplaceAll(fmt.Sprint(path), " ", "/") },
		Read: func(name string) ([]byte, error) {
			if name == "files/p.hcl" {
				return []byte("# first\nkey_prefx \"\" {\n  policy = \"read\"\n}\n"), nil
			}
			return nil, errors.New("no such file")
		},
	}
	list := func(items ...any) []any { return items }
	for _, c := range []struct {
		section map[string]any
		want    string
	}{
		{map[string]any{"role": list()}, `[consul/role]: unknown field "role" in consul (did you mean roles?)`},
		{map[string]any{"roles": list(map[string]any{"nam": "a"})}, `[consul/roles/0/nam]: unknown field "nam" in consul.roles[0] (did you mean name?)`},
		{map[string]any{"roles": list(map[string]any{"name": 1})}, `[consul/roles/0/name]: consul.roles[0].name has to be text, and is 1 ()`},
		{map[string]any{"logins": map[string]any{}}, `[consul/logins]: consul.logins has to be a list ()`},
		{map[string]any{"anonymous": "dns"}, `[consul/anonymous]: consul.anonymous has to be a mapping ()`},
		{map[string]any{"tokens": list(map[string]any{"token": "consol"})}, `[consul/tokens/0/token]: "consol" is not the name of one of its tokens (declare it under tokens, kind acl-token; did you mean consul?)`},
		{map[string]any{"policies": list(map[string]any{"name": "p", "file": "files/q.hcl"})}, `[consul/policies/0/file]: policy "p": no such file ()`},
		{map[string]any{"policies": list(map[string]any{"name": "p", "file": "files/p.hcl"})}, `addons/web/files/p.hcl:2:1: Consul has no rules for "key_prefx" (did you mean key_prefix?)`},
		{map[string]any{"policies": list(map[string]any{"name": "p", "rules": "acl = \"read\"\noperator = \"reed\""})}, `[consul/policies/0/rules]: line 2 of the rules of policy "p": operator cannot be "reed" (did you mean read?)`},
	} {
		_, err := consul.ParseAsk(c.section, source)
		if err == nil {
			t.Errorf("taken: %v", c.section)
			continue
		}
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			err = joined.Unwrap()[0]
		}
		if got := fmt.Sprintf("%v (%s)", err, hint.Of(err)); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

// Names that lead nowhere, across add-ons, are named with the place of who uses
// them.
func TestNamesAcrossAddons(t *testing.T) {
	policy := consul.Policy{Name: "web", Rules: `operator = "read"`}
	role := consul.Role{Name: "web", Policies: []string{"web"}}
	login := consul.Login{ServiceAccount: "web", Namespace: "web", Roles: []string{"web"}}
	for says, asks := range map[string][]consul.Ask{
		`the Consul role web wants the policy "wen", which no add-on asks for`: {{Addon: "a", Policies: []consul.Policy{policy}, Roles: []consul.Role{{Name: "web", Policies: []string{"wen"}}}}},
		`add-ons a and b both ask for a Consul role web`:                       {{Addon: "a", Policies: []consul.Policy{policy}, Roles: []consul.Role{role}}, {Addon: "b", Roles: []consul.Role{role}}},
		`"a b" cannot be the name of a Consul role`:                            {{Addon: "a", Roles: []consul.Role{{Name: "a b"}}}},
		`a/t wants the role "web", which no add-on asks for`:                   {{Addon: "a", Tokens: []consul.Token{{Token: "t", Roles: []string{"web"}}}}},
		`consul/bootstrap is the management token and gets no policies`:        {{Addon: "consul", Tokens: []consul.Token{{Token: "bootstrap"}}}},
		`the login of web/web wants the role "web", which no add-on asks for`:  {{Addon: "a", Logins: []consul.Login{login}}},
		`the login of web/web has no roles`:                                    {{Addon: "a", Logins: []consul.Login{{ServiceAccount: "web", Namespace: "web"}}}},
		`"We" cannot be the name of a ServiceAccount`:                          {{Addon: "a", Logins: []consul.Login{{ServiceAccount: "We", Namespace: "web"}}}},
		`"" cannot name a namespace`:                                           {{Addon: "a", Logins: []consul.Login{{ServiceAccount: "web"}}}},
		`is asked for twice`:                                                   {{Addon: "a", Policies: []consul.Policy{policy}, Roles: []consul.Role{role}, Logins: []consul.Login{login}}, {Addon: "b", Logins: []consul.Login{login}}},
		`add-ons a and b both say what is allowed without a token`:             {{Addon: "a", Anonymous: &consul.Anonymous{}}, {Addon: "b", Anonymous: &consul.Anonymous{}}},
		`the anonymous token wants the policy "dns", which no add-on asks for`: {{Addon: "a", Anonymous: &consul.Anonymous{Policies: []string{"dns"}}}},
		`web/web wants to log in to Consul, which has no auth method`:          {{Addon: "a", Policies: []consul.Policy{policy}, Roles: []consul.Role{role}, Logins: []consul.Login{login}}},
	} {
		if _, err := consul.New(consul.Config{Asks: asks}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q, got %v", says, err)
		}
	}
}
