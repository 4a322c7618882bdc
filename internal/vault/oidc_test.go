// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"
)

// callback is where a person's browser is sent to with the code.
const callback = "http://localhost:8250/oidc/callback"

// provider is an OIDC provider, another Vault's own, that knows jo by an address.
type provider struct {
	client   *api.Client // as jo
	issuer   string
	id, code string // of the client that Vault is there, and its secret
}

func startProvider(t *testing.T) *provider {
	t.Helper()
	address, root := startOther(t)
	write := func(path string, data map[string]any) map[string]any {
		t.Helper()
		answer, err := root.Logical().WriteWithContext(t.Context(), path, data)
		if err != nil {
			t.Fatal(err)
		}
		if answer == nil {
			return nil
		}
		return answer.Data
	}
	read := func(path string) map[string]any {
		t.Helper()
		answer, err := root.Logical().ReadWithContext(t.Context(), path)
		if err != nil || answer == nil {
			t.Fatalf("reading %s: %v", path, err)
		}
		return answer.Data
	}
	write("sys/auth/userpass", map[string]any{"type": "userpass"})
	write("auth/userpass/users/jo", map[string]any{"password": "only-in-this-test"})
	entity := write("identity/entity", map[string]any{"name": "jo", "metadata": map[string]string{"email": "jo@example.org"}})
	methods := read("sys/auth")["userpass/"].(map[string]any)
	write("identity/entity-alias", map[string]any{"name": "jo", "canonical_id": entity["id"], "mount_accessor": methods["accessor"]})
	write("identity/oidc/scope/email", map[string]any{"template": `{"email": {{identity.entity.metadata.email}}}`})
	write("identity/oidc/client/vault", map[string]any{"redirect_uris": callback, "assignments": "allow_all"})
	write("identity/oidc/provider/main", map[string]any{"allowed_client_ids": "*", "scopes_supported": "email"})
	write("sys/policies/acl/people", map[string]any{"policy": `path "identity/oidc/provider/main/authorize" { capabilities = ["read", "update"] }`})
	write("auth/userpass/users/jo/policies", map[string]any{"token_policies": "people"})
	made := read("identity/oidc/client/vault")
	in, err := root.Logical().WriteWithContext(t.Context(), "auth/userpass/login/jo", map[string]any{"password": "only-in-this-test"})
	if err != nil {
		t.Fatal(err)
	}
	root.SetToken(in.Auth.ClientToken)
	return &provider{client: root, issuer: address + "/v1/identity/oidc/provider/main", id: made["client_id"].(string), code: made["client_secret"].(string)}
}

// authorize is jo's browser at the provider: the page that auth_url names asks for
// the code by the same query.
func (p *provider) authorize(t *testing.T, page string) (state, code string) {
	t.Helper()
	at, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := p.client.Logical().ReadRawWithDataWithContext(t.Context(), "identity/oidc/provider/main/authorize", at.Query())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var out struct {
		State string `json:"state"`
		Code  string `json:"code"`
	}
	if err := answer.DecodeJSON(&out); err != nil {
		t.Fatal(err)
	}
	return out.State, out.Code
}

// testOIDC proves that a person logs in through a provider, once somebody wrote the
// client's secret, which is nobody else's to know; and that drift beside it is said.
func testOIDC(t *testing.T, g *ground) {
	p := startProvider(t)
	w := g.newWorld(t, 1)
	config := map[string]any{"oidc_discovery_url": p.issuer, "oidc_client_id": p.id, "default_role": "people"}
	w.Auth = []Method{{
		Path: "sso", Type: "oidc", Config: config,
		Roles: []MethodRole{{Name: "people", Policies: []string{"readonly"}, Settings: map[string]any{
			"user_claim": "email", "oidc_scopes": []any{"email"}, "allowed_redirect_uris": []any{callback},
		}}},
	}}
	w.Asks = []Ask{{
		Addon:    "staff",
		Policies: []Policy{{Name: "staff", Rules: `path "auth/sso/config" { capabilities = ["create", "update"] }`}},
		Roles:    []Role{{Name: "staff", ServiceAccounts: []string{"staff"}, Namespaces: []string{"staff"}, Policies: []string{"staff"}}},
	}}
	w.mustRun(t)
	notices := func() string {
		t.Helper()
		plan, err := w.open(t).step(t, "vault/configure").Plan(t.Context())
		if err != nil || !plan.Empty() {
			t.Fatalf("%+v, %v", plan, err)
		}
		return strings.Join(plan.Notices, "\n")
	}
	if said := notices(); !strings.Contains(said, "auth method sso: configuration is not written yet: it needs the client's secret") {
		t.Errorf("before the secret is written: %q", said)
	}

	staff := w.loginAs(t, "staff", "staff", "staff")
	given := map[string]any{"oidc_discovery_url": p.issuer, "oidc_client_id": p.id, "oidc_client_secret": p.code, "default_role": "people"}
	staff.must(t, http.MethodPost, "auth/sso/config", given)
	if said := notices(); said != "" {
		t.Errorf("with all as it is asked for: %q", said)
	}
	if got := w.loginThrough(t, p); !slices.Contains(got, "readonly") {
		t.Errorf("jo has %v", got)
	}

	given["default_role"] = "others"
	staff.must(t, http.MethodPost, "auth/sso/config", given)
	if said := notices(); !strings.Contains(said, "default_role") {
		t.Errorf("with another default role: %q", said)
	}
}

// loginThrough logs jo in as a browser would, and returns the token's policies.
func (w *world) loginThrough(t *testing.T, p *provider) []string {
	t.Helper()
	c := w.peerOf(t, 0)
	var begun struct {
		Data struct {
			URL string `json:"auth_url"`
		} `json:"data"`
	}
	ask := map[string]string{"role": "people", "redirect_uri": callback, "client_nonce": "nonce-of-this-test"}
	if err := c.do(t.Context(), request{method: http.MethodPost, path: "auth/sso/oidc/auth_url", body: ask}, &begun); err != nil {
		t.Fatal(err)
	}
	state, code := p.authorize(t, begun.Data.URL)
	back := url.Values{"state": {state}, "code": {code}, "client_nonce": {"nonce-of-this-test"}}
	var in struct {
		Auth struct {
			Policies []string `json:"token_policies"`
		} `json:"auth"`
	}
	if err := c.do(t.Context(), request{method: http.MethodGet, path: "auth/sso/oidc/callback?" + back.Encode()}, &in); err != nil {
		t.Fatal(err)
	}
	return in.Auth.Policies
}
