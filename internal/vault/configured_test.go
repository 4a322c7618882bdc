// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

// publicKey verifies the tokens of an auth method of type jwt; nobody here has the
// private half.
const publicKey = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9
q9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==
-----END PUBLIC KEY-----`

// testConfigured proves, on a Vault that runs already, that what values and add-ons
// ask for is made, is used, is put right when it was changed, and that nothing else
// is touched. All of it is written by clusterup's own login, so its policy suffices.
func testConfigured(t *testing.T, g *ground) {
	w := g.newWorld(t, 1)
	if _, err := run(t.Context(), w.open(t)); err != nil {
		t.Fatal(err)
	}
	w.Audit = []Device{{Name: "file", Type: "file", Options: map[string]string{"file_path": filepath.Join(w.Dir, "audit.log")}}}
	w.Engines = []Engine{
		{Path: "team", Type: "kv-v2", Tuning: Tuning{Description: "of the team"}},
		{Path: "transit", Type: "transit", Tuning: Tuning{MaxTTL: 7200}, Keys: []TransitKey{{Name: "app", Rotate: 86400}, {Name: "sign", Type: "ed25519"}}},
		{Path: "pki", Type: "pki", CommonName: "test cluster CA", Roles: []PKIRole{{Name: "web", Domains: []string{"example.org"}}}},
	}
	w.Auth = []Method{
		{Path: "people", Type: "userpass", Tuning: Tuning{TTL: 1800, MaxTTL: 3600}, Users: []User{{Name: "jo", Policies: []string{"readonly"}}}},
		{
			Path: "ci", Type: "jwt", Config: map[string]any{"jwt_validation_pubkeys": []any{publicKey}, "bound_issuer": "https://ci.example.org"},
			Roles: []MethodRole{{Name: "build", Policies: []string{"app"}, Settings: map[string]any{
				"user_claim": "sub", "bound_audiences": []any{"vault"}, "bound_claims": map[string]any{"ref": "main"}, "token_ttl": float64(600),
			}}},
		},
		{
			Path: "sso", Type: "oidc", Config: map[string]any{"oidc_discovery_url": "https://sso.example.org", "default_role": "people"},
			Roles: []MethodRole{{Name: "people", Policies: []string{"readonly"}, Settings: map[string]any{
				"user_claim": "email", "allowed_redirect_uris": []any{"http://localhost:8250/oidc/callback"},
			}}},
		},
	}
	w.Asks = []Ask{{
		Addon:    "shop",
		Policies: []Policy{{Name: "shop", Rules: "path \"transit/encrypt/app\" {\n  capabilities = [\"update\"]\n}\npath \"pki/issue/web\" {\n  capabilities = [\"update\"]\n}\n"}, {Name: "everything", Rules: `path "*" { capabilities = ["create", "read", "update", "patch", "delete", "list", "sudo"] }`}},
		Roles: []Role{
			{Name: "shop", ServiceAccounts: []string{"web"}, Namespaces: []string{"shop"}, Policies: []string{"shop"}},
			{Name: "admin", ServiceAccounts: []string{"admin"}, Namespaces: []string{"shop"}, Policies: []string{"everything"}},
		},
	}}
	v := w.open(t)
	plan, err := v.step(t, "vault/configure").Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range plan.Changes {
		want := converge.Create
		if c.Subject == "policy clusterup" {
			want = converge.Update
		}
		if c.Action != want {
			t.Errorf("%s %s %q, want %s", c.Action, c.Subject, c.Note, want)
		}
	}
	if got := len(plan.Changes); got != 24 {
		t.Errorf("%d changes: %v", got, subjects(plan.Changes))
	}
	if said := strings.Join(plan.Notices, "\n"); len(plan.Notices) != 2 || !strings.Contains(said, "user jo of people/ is not there: a person gives them a password: vault write auth/people/users/jo password=-") ||
		!strings.Contains(said, "auth method sso: configuration is not written yet: it needs the client's secret") {
		t.Errorf("notices: %s", said)
	}
	if _, err := run(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	w.mustServe(t)

	t.Run("an add-on's pod uses what it asked for", func(t *testing.T) { testShop(t, w) })
	admin := w.loginAs(t, "shop", "admin", "admin")
	t.Run("drift is named field by field and put right", func(t *testing.T) { testConfiguredDrift(t, w, admin) })
	t.Run("what cannot be read yet is said, and compared in time", func(t *testing.T) { testUnseen(t, w, admin) })
	t.Run("an intermediate of another CA is issued anew", func(t *testing.T) { testOtherCA(t, w) })
	t.Run("what cannot be changed in place is refused", func(t *testing.T) {
		admin.must(t, http.MethodDelete, "sys/mounts/team", nil)
		admin.must(t, http.MethodPost, "sys/mounts/team", map[string]any{"type": "kv", "options": map[string]string{"version": "1"}})
		_, err := run(t.Context(), w.open(t))
		if err == nil || !strings.Contains(err.Error(), `secrets engine team is there with another options: {"version":"1"} instead of {"version":"2"}`) || hint.Of(err) == "" {
			t.Errorf("%v (hint %q)", err, hint.Of(err))
		}
	})
}

// testShop encrypts with the key and issues a certificate, as a pod of the add-on
// that asked for it, and may do nothing else.
func testShop(t *testing.T, w *world) {
	s := w.loginAs(t, "shop", "web", "shop")
	var sealed struct {
		Data struct {
			Ciphertext string `json:"ciphertext"`
		} `json:"data"`
	}
	if err := s.do(t.Context(), request{method: http.MethodPost, path: "transit/encrypt/app", token: s.token, body: map[string]string{"plaintext": "aGVsbG8="}}, &sealed); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(sealed.Data.Ciphertext, "vault:v1:") {
		t.Errorf("got %q", sealed.Data.Ciphertext)
	}
	if err := s.do(t.Context(), request{method: http.MethodGet, path: "secret/data/app/x", token: s.token}, nil); !isStatus(err, http.StatusForbidden) {
		t.Errorf("the policy lets read other paths: %v", err)
	}
	var issued struct {
		Data struct {
			Certificate string   `json:"certificate"`
			Chain       []string `json:"ca_chain"`
		} `json:"data"`
	}
	if err := s.do(t.Context(), request{method: http.MethodPost, path: "pki/issue/web", token: s.token, body: map[string]string{"common_name": "www.example.org"}}, &issued); err != nil {
		t.Fatal(err)
	}
	mustVerify(t, w, issued.Data.Certificate, issued.Data.Chain, "www.example.org")
	if err := s.do(t.Context(), request{method: http.MethodPost, path: "pki/issue/web", token: s.token, body: map[string]string{"common_name": "www.example.com"}}, nil); !isStatus(err, http.StatusBadRequest) {
		t.Errorf("a certificate for another domain: %v", err)
	}
}

// mustVerify fails unless a client that trusts the environment's CA, and nothing
// else, trusts the certificate.
func mustVerify(t *testing.T, w *world, leaf string, chain []string, name string) {
	t.Helper()
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	ca, _ := w.ground.tokens.Public("clusterup/ca")
	roots.AppendCertsFromPEM([]byte(ca))
	for _, c := range chain {
		between.AppendCertsFromPEM([]byte(c))
	}
	block, _ := pem.Decode([]byte(leaf))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	verified, err := cert.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: name})
	if err != nil || len(verified[0]) != 3 {
		t.Errorf("a chain of %d, %v", len(verified), err)
	}
}

func testConfiguredDrift(t *testing.T, w *world, admin person) {
	admin.must(t, http.MethodPost, "auth/people/users/jo", map[string]string{"password": "only-in-this-test", "token_policies": "app"})
	admin.must(t, http.MethodPost, "sys/mounts/transit/tune", map[string]any{"max_lease_ttl": 60, "description": "others may"})
	admin.must(t, http.MethodPost, "transit/keys/app/config", map[string]any{"deletion_allowed": true, "auto_rotate_period": 0})
	admin.must(t, http.MethodPost, "auth/ci/config", map[string]any{"jwt_validation_pubkeys": []string{publicKey}, "bound_issuer": "https://elsewhere.example.org"})
	admin.must(t, http.MethodPost, "auth/ci/role/build", map[string]any{"role_type": "jwt", "user_claim": "sub", "bound_claims": map[string]string{"ref": "any"}, "bound_audiences": "vault", "token_policies": "app"})
	admin.must(t, http.MethodPost, "pki/roles/web", map[string]any{"allow_any_name": true, "allowed_domains": []string{"example.com"}, "no_store": true, "key_type": "ec", "key_bits": 256, "allow_subdomains": true, "allow_bare_domains": true, "max_ttl": 30 * 24 * 3600})
	admin.must(t, http.MethodPost, "sys/policies/acl/shop", map[string]string{"policy": `path "*" { capabilities = ["read"] }`})
	admin.must(t, http.MethodPost, "auth/kubernetes/role/shop", map[string]any{"bound_service_account_names": "*"})
	admin.must(t, http.MethodDelete, "sys/audit/file", nil)
	admin.must(t, http.MethodPost, "sys/mounts/others", map[string]any{"type": "transit"})
	admin.must(t, http.MethodPost, "transit/keys/others", nil)
	changes, err := run(t.Context(), w.open(t))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range changes {
		line := string(c.Action) + " " + c.Subject
		for _, f := range c.Fields {
			line += " " + f.Path
		}
		got = append(got, line)
	}
	want := []string{
		"create audit device file",
		"update auth method ci: configuration bound_issuer",
		"update key app of transit/: configuration auto_rotate_period deletion_allowed",
		"update policy shop policy",
		"update role build of ci/ bound_claims",
		"update role shop bound_service_account_names",
		"update role web of pki/ allow_any_name allow_ip_sans allow_localhost allowed_domains client_flag",
		"update secrets engine transit: tuning max_lease_ttl",
		"update user jo of people/ token_policies",
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("corrected\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	w.mustServe(t)
	for _, path := range []string{"sys/mounts/others", "transit/keys/others"} {
		admin.must(t, http.MethodGet, path, nil)
	}
	if got := admin.field(t, "sys/mounts/transit/tune", "description"); got != "others may" {
		t.Errorf("a field that nobody manages was changed to %v", got)
	}
}

// testUnseen takes an engine and a method under management that somebody made
// before, while clusterup's policy does not let it look into them.
func testUnseen(t *testing.T, w *world, admin person) {
	admin.must(t, http.MethodPost, "sys/auth/old", map[string]string{"type": "userpass"})
	admin.must(t, http.MethodPost, "others/keys/kept", map[string]any{"type": "aes256-gcm96"})
	admin.must(t, http.MethodPost, "auth/old/users/al", map[string]string{"password": "only-in-this-test", "token_policies": "app"})
	w.Engines = append(w.Engines, Engine{Path: "others", Type: "transit", Keys: []TransitKey{{Name: "kept"}}})
	w.Auth = append(w.Auth, Method{Path: "old", Type: "userpass", Users: []User{{Name: "al", Policies: []string{"readonly"}}}})
	v := w.open(t)
	plan, err := v.step(t, "vault/configure").Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	unseen := 0
	for _, c := range plan.Changes {
		if c.Note == unseenNote {
			unseen++
		}
	}
	if unseen != 3 || len(plan.Changes) != 4 {
		t.Errorf("%d unseen of %v", unseen, subjects(plan.Changes))
	}
	if _, err := run(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	w.mustServe(t)
	if got := canonical(admin.field(t, "auth/old/users/al", "token_policies")); got != "readonly" {
		t.Errorf("al has %s", got)
	}
}

// testOtherCA gives the environment another CA: the plan says so, and what is
// issued afterwards is trusted by those who trust the new one.
func testOtherCA(t *testing.T, w *world) {
	before := w.ground.tokens
	t.Cleanup(func() { w.ground.tokens = before })
	w.ground.tokens = makeTokens(t, environmentCA)
	plan, err := w.open(t).step(t, "vault/configure").Plan(t.Context())
	if err != nil || len(plan.Changes) != 1 || plan.Changes[0].Subject != "intermediate of pki/" || plan.Changes[0].Fields[0].Path != "issued by" {
		t.Fatalf("%+v, %v", plan.Changes, err)
	}
	if _, err := run(t.Context(), w.open(t)); err != nil {
		t.Fatal(err)
	}
	w.mustServe(t)
	testShop(t, w)

	t.Run("a CA that issues leaves only is said to be one", func(t *testing.T) {
		old := environmentCA
		old.Intermediates = false
		w.ground.tokens = makeTokens(t, old)
		plan, err := w.open(t).step(t, "vault/configure").Plan(t.Context())
		if err != nil || !plan.Empty() || !strings.Contains(strings.Join(plan.Notices, "\n"), "the environment's CA issues leaves only") {
			t.Errorf("%+v, %v", plan, err)
		}
		w.ground.tokens = makeTokens(t, environmentCA)
		if _, err := run(t.Context(), w.open(t)); err != nil {
			t.Fatal(err)
		}
	})
}

// person is somebody who logged in.
type person struct{ session }

// loginAs logs in as a pod of a ServiceAccount.
func (w *world) loginAs(t *testing.T, namespace, account, role string) person {
	t.Helper()
	c := w.peerOf(t, 0)
	var out struct {
		Auth struct {
			Token rawText `json:"client_token"`
		} `json:"auth"`
	}
	body := map[string]string{"role": role, "jwt": podToken(t, w.ground.kubernetes(t), namespace, account)}
	if err := c.do(t.Context(), request{method: http.MethodPost, path: "auth/kubernetes/login", body: body}, &out); err != nil {
		t.Fatal(err)
	}
	return person{session{c, secret.NewValue(out.Auth.Token)}}
}

func (p person) must(t *testing.T, method, path string, body any) {
	t.Helper()
	if err := p.do(t.Context(), request{method: method, path: path, token: p.token, body: body}, nil); err != nil {
		t.Fatal(err)
	}
}

func (p person) field(t *testing.T, path, name string) any {
	t.Helper()
	data, _, err := p.get(context.WithoutCancel(t.Context()), path)
	if err != nil {
		t.Fatal(err)
	}
	return data[name]
}

func subjects(changes []converge.Change) (all []string) {
	for _, c := range changes {
		all = append(all, string(c.Action)+" "+c.Subject)
	}
	return all
}

// step is the step of that name.
func (v *Vault) step(t *testing.T, name string) converge.Step {
	t.Helper()
	for _, s := range v.Steps() {
		if s.Name() == name {
			return s
		}
	}
	t.Fatalf("no step %s", name)
	return nil
}
