// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"encoding/pem"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/renewal"
	"clusterup.dev/clusterup/internal/secret"
)

// oneShelf keeps one certificate.
type oneShelf struct {
	pair   renewal.Pair
	writes int
}

func (s *oneShelf) Read(context.Context) (renewal.Pair, error) {
	return renewal.Pair{Chain: s.pair.Chain, Key: secret.NewString(s.pair.Key.RevealString())}, nil
}

func (s *oneShelf) Write(_ context.Context, p renewal.Pair) error {
	s.pair = renewal.Pair{Chain: p.Chain, Key: secret.NewString(p.Key.RevealString())}
	s.writes++
	return nil
}

// testRenewal proves that an add-on which asks for certificates gets the engine, an
// intermediate of the environment's CA and its role; that a pod of it has one issued
// with a key that Vault never sees, and another one in time; and that the pod may do
// nothing else.
func testRenewal(t *testing.T, g *ground) {
	w := g.newWorld(t, 1)
	w.Asks = []Ask{{
		Addon:        "certs",
		Policies:     []Policy{{Name: "certs", Rules: `path "pki/sign/ingress" { capabilities = ["update"] }`}},
		Roles:        []Role{{Name: "certs", ServiceAccounts: []string{"renewer"}, Namespaces: []string{"certs"}, Policies: []string{"certs"}, TTL: 300}},
		Certificates: []PKIRole{{Name: "ingress", Domains: []string{"local.internal"}, MaxTTL: 3600, by: "certs"}},
	}}
	changes, err := run(t.Context(), w.open(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"create secrets engine pki", "create intermediate of pki/", "create role ingress of pki/"} {
		if !strings.Contains(strings.Join(subjects(changes), "\n"), want) {
			t.Errorf("not planned: %s", want)
		}
	}
	w.mustServe(t)

	now, account := time.Now(), "renewer"
	visitor := Visitor{
		Dial: func(ctx context.Context) (net.Conn, error) { return loopback{w: w}.Dial(ctx, podName(0)) },
		CA:   []byte(w.CA), Login: "certs", Mount: "pki", Role: "ingress",
		Token: func() (secret.Value, error) {
			return secret.NewString(podToken(t, g.kubernetes(t), "certs", account)), nil
		},
	}
	shelf := &oneShelf{}
	keeper := &renewal.Keeper{
		Names: []string{"local.internal", "*.local.internal"}, Shelf: shelf, Issuer: visitor,
		Now: func() time.Time { return now },
	}
	issues := func(because string) {
		t.Helper()
		before := shelf.pair
		said, err := keeper.Once(t.Context())
		if err != nil || !strings.Contains(said, because) {
			t.Fatalf("said %q, %v", said, err)
		}
		if keeper.Healthy() != nil || shelf.pair.Chain == before.Chain || shelf.pair.Key.Equal(before.Key) {
			t.Errorf("%v, or the certificate or its key is the one of before", keeper.Healthy())
		}
		w.mustServeTLS(t, shelf.pair, "local.internal", "web.local.internal")
		if said, err := keeper.Once(t.Context()); said != "" || err != nil {
			t.Errorf("once more: %q, %v", said, err)
		}
	}
	if keeper.Healthy() == nil {
		t.Error("healthy without a certificate")
	}
	issues("because there was none")
	ours, _ := g.tokens.Public("vault/server")
	key, _ := g.tokens.Secret("vault/server")
	shelf.pair = renewal.Pair{Chain: ours, Key: key}
	issues("the one before was issued by Vault CA")
	keeper.Names = append(keeper.Names, "traefik.local.internal")
	issues("the one before was for *.local.internal, local.internal")
	now = now.Add(39 * time.Minute)
	if said, err := keeper.Once(t.Context()); said != "" || err != nil {
		t.Errorf("renewed before two thirds have passed: %q, %v", said, err)
	}
	now = now.Add(13 * time.Minute)
	if keeper.Healthy() == nil {
		t.Error("nobody is told that the renewal is overdue")
	}
	had := shelf.writes
	if said, err := keeper.Once(t.Context()); !strings.Contains(said, "because the one before ends on") || err != nil || shelf.writes != had+1 {
		t.Errorf("said %q, %v", said, err)
	}
	now = time.Now()

	t.Run("another intermediate", func(t *testing.T) {
		before := g.tokens
		t.Cleanup(func() { g.tokens = before })
		g.tokens = makeTokens(t, environmentCA)
		if _, err := run(t.Context(), w.open(t)); err != nil {
			t.Fatal(err)
		}
		issues("the one before was issued by cluster CA")
	})
	t.Run("a name that was not asked for", func(t *testing.T) {
		had := shelf.writes
		other := &renewal.Keeper{Names: []string{"www.example.org"}, Shelf: shelf, Issuer: visitor}
		if _, err := other.Once(t.Context()); !isStatus(err, http.StatusBadRequest) || shelf.writes != had {
			t.Errorf("%v, %d writes", err, shelf.writes-had)
		}
	})
	t.Run("another service account", func(t *testing.T) {
		account = "somebody"
		other := &renewal.Keeper{Names: []string{"www.local.internal"}, Shelf: shelf, Issuer: visitor}
		if _, err := other.Once(t.Context()); !isStatus(err, http.StatusForbidden) {
			t.Errorf("%v", err)
		}
		account = "renewer"
	})
	t.Run("the pod may do nothing else", func(t *testing.T) {
		pod := w.loginAs(t, "certs", "renewer", "certs")
		for _, path := range []string{"pki/issue/ingress", "pki/root/generate/exported", "pki/sign-verbatim", "secret/data/app/x", "sys/policies/acl/certs"} {
			err := pod.do(t.Context(), request{method: http.MethodPost, path: path, token: pod.token, body: map[string]string{"common_name": "x.local.internal"}}, nil)
			if !isStatus(err, http.StatusForbidden) {
				t.Errorf("%s: %v", path, err)
			}
		}
	})
	t.Run("a sealed Vault takes nothing away", func(t *testing.T) {
		w.servers[0].End()
		w.start(t, 0)
		if _, err := keeper.Once(t.Context()); err == nil || keeper.Healthy() != nil {
			t.Errorf("%v, %v", err, keeper.Healthy())
		}
		if err := converge.Until(t.Context(), "the unsealed Vault", time.Minute, func(ctx context.Context) (bool, string, error) {
			_, err := run(ctx, w.open(t))
			return err == nil, "not yet", nil
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := keeper.Once(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// mustServeTLS fails unless who trusts the environment's CA believes the pair.
func (w *world) mustServeTLS(t *testing.T, p renewal.Pair, names ...string) {
	t.Helper()
	var certs []string
	for rest := []byte(p.Chain); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		certs = append(certs, string(pem.EncodeToMemory(block)))
	}
	if len(certs) != 2 {
		t.Fatalf("a chain of %d: a leaf and its intermediate are shown", len(certs))
	}
	for _, name := range names {
		mustVerify(t, w, certs[0], certs[1:], name)
	}
}
