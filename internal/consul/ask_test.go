// SPDX-License-Identifier: Apache-2.0

package consul_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"clusterup.dev/clusterup/internal/consul"
	"clusterup.dev/clusterup/internal/hint"
)

// The section consul of an addon.yaml is read strictly, and files from the folder.
func TestParseAsk(t *testing.T) {
	read := func(name string) ([]byte, error) {
		if name == "files/p.hcl" {
			return []byte("operator = \"read\"\n"), nil
		}
		return nil, errors.New("no such file: " + name)
	}
	section := map[string]any{
		"policies":  []any{map[string]any{"name": "p", "file": "files/p.hcl"}},
		"roles":     []any{map[string]any{"name": "r", "policies": []any{"p"}}},
		"tokens":    []any{map[string]any{"token": "t", "policies": []any{"p"}, "roles": []any{"r"}, "description": "d"}},
		"logins":    []any{map[string]any{"serviceAccount": "web", "roles": []any{"r"}}},
		"anonymous": map[string]any{"policies": []any{"p"}},
	}
	source := consul.Source{Addon: "app", Dir: "addons/app", Namespace: "apps", Tokens: []string{"t"}, Read: read}
	got, err := consul.ParseAsk(section, source)
	must(t, err)
	want := consul.Ask{
		Addon:     "app",
		Policies:  []consul.Policy{{Name: "p", File: "files/p.hcl", Rules: "operator = \"read\"\n"}},
		Roles:     []consul.Role{{Name: "r", Policies: []string{"p"}}},
		Tokens:    []consul.Token{{Token: "t", Policies: []string{"p"}, Roles: []string{"r"}, Description: "d"}},
		Logins:    []consul.Login{{ServiceAccount: "web", Namespace: "apps", Roles: []string{"r"}}},
		Anonymous: &consul.Anonymous{Policies: []string{"p"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for name, bad := range map[string]struct {
		section any
		says    string
	}{
		"unknown field": {map[string]any{"policy": []any{}}, `unknown field "policy"`},
		"no rules":      {map[string]any{"policies": []any{map[string]any{"name": "p"}}}, `policy "p" needs either a file or rules`},
		"no file":       {map[string]any{"policies": []any{map[string]any{"name": "p", "file": "q"}}}, "no such file: q"},
		"wrong type":    {map[string]any{"tokens": "t"}, "consul.tokens has to be a list"},
	} {
		if _, err := consul.ParseAsk(bad.section, source); err == nil || !strings.Contains(err.Error(), bad.says) || !strings.Contains(err.Error(), "add-on app") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A token that is asked for and was never declared is named, with the way out.
func TestAskForUndeclaredToken(t *testing.T) {
	tokens := ownTokens(t)
	c, err := consul.New(consul.Config{
		Tokens: func(context.Context) (consul.Tokens, error) { return tokens, nil },
		Asks:   []consul.Ask{{Addon: "web", Tokens: []consul.Token{{Token: "consul"}}}},
	})
	must(t, err)
	_, err = step(t, c, consul.ACLStep).Plan(t.Context())
	if err == nil || !strings.Contains(err.Error(), "web/consul has no ids") || hint.Of(err) == "" {
		t.Errorf("%v (hint %q)", err, hint.Of(err))
	}
}

// What add-ons ask for is checked against each other before anything is contacted.
func TestAsksThatContradict(t *testing.T) {
	policy := func(name string) consul.Policy { return consul.Policy{Name: name, Rules: `operator = "read"`} }
	for says, asks := range map[string][]consul.Ask{
		"add-ons a and b both ask for a Consul policy p": {{Addon: "a", Policies: []consul.Policy{policy("p")}}, {Addon: "b", Policies: []consul.Policy{policy("p")}}},
		`a/t wants the policy "q", which no add-on asks`: {{Addon: "a", Tokens: []consul.Token{{Token: "t", Policies: []string{"q"}}}}},
		"asks twice for the Consul token t":              {{Addon: "a", Tokens: []consul.Token{{Token: "t"}, {Token: "t"}}}},
		"is not the name of one of its tokens":           {{Addon: "a", Tokens: []consul.Token{{Token: "b/t"}}}},
		"cannot be the name of a Consul policy":          {{Addon: "a", Policies: []consul.Policy{policy("a b")}}},
		"is Consul's own":                                {{Addon: "a", Policies: []consul.Policy{policy("global-management")}}},
	} {
		if _, err := consul.New(consul.Config{Asks: asks}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q, got %v", says, err)
		}
	}
}
