// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/testservers"
)

// ground is what all tests of a binary share: a Consul, a Kubernetes API server
// and certificates.
type ground struct {
	dir        string
	consul     string // address
	kubeconfig string
	ca         string // PEM
	reviewer   Reviewer
	tokens     *secret.Set
}

func newGround(t *testing.T) *ground {
	t.Helper()
	testservers.Bin(t, "vault")
	g := &ground{dir: t.TempDir()}
	g.startConsul(t)
	g.startKubernetes(t)
	g.issue(t)
	return g
}

func (g *ground) startConsul(t *testing.T) {
	t.Helper()
	port := func() int { return testservers.Port(t) }
	http := port()
	g.consul = fmt.Sprintf("127.0.0.1:%d", http)
	testservers.Start(t, testservers.Program{
		Path: testservers.Bin(t, "consul"),
		Args: []string{
			"agent", "-dev", "-bind=127.0.0.1", "-log-level=warn",
			fmt.Sprintf("-http-port=%d", http), fmt.Sprintf("-server-port=%d", port()),
			fmt.Sprintf("-serf-lan-port=%d", port()), "-serf-wan-port=-1", "-dns-port=-1", "-grpc-port=-1", "-grpc-tls-port=-1",
		},
		Ready: testservers.Answers("http://" + g.consul + "/v1/kv/?keys&separator=/&wait=1s"),
	})
}

// startKubernetes makes the ServiceAccount that clusterup logs in as. In a
// cluster Vault reviews tokens as its own ServiceAccount; here a proxy lends it
// an administrator's rights.
func (g *ground) startKubernetes(t *testing.T) {
	t.Helper()
	g.kubeconfig = testservers.APIServer(t)
	config, err := clientcmd.BuildConfigFromFlags("", g.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	podToken(t, g.kubernetes(t), "vault", ownRole)
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewTLSServer(&httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Del("Authorization")
		},
	})
	t.Cleanup(proxy.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: proxy.Certificate().Raw})
	g.reviewer = Reviewer{Host: proxy.URL, CA: string(ca)}
}

func (g *ground) kubernetes(t testing.TB) *kubernetes.Clientset {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", g.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// environmentCA is the environment's own authority, as add-ons are given it.
var environmentCA = secret.Spec{Addon: "clusterup", Name: "ca", Kind: secret.CA, CommonName: "test CA", Intermediates: true}

// makeTokens makes tokens in a bucket that is thrown away.
func makeTokens(t *testing.T, specs ...secret.Spec) *secret.Set {
	t.Helper()
	id, err := secret.CreateIdentity(filepath.Join(t.TempDir(), "issuer", "identity.txt"))
	if err != nil {
		t.Fatal(err)
	}
	keeper := &secret.Keeper{Bucket: tokens{&folder{dir: t.TempDir()}}, Recipients: []secret.Recipient{id.Recipient()}, Identities: []secret.Identity{id}}
	if err := keeper.Make(t.Context(), specs); err != nil {
		t.Fatal(err)
	}
	set, err := keeper.Load(t.Context(), specs)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// issue makes the CA and the certificate that the add-on asks for.
func (g *ground) issue(t *testing.T) {
	t.Helper()
	set := makeTokens(t, environmentCA,
		secret.Spec{Addon: "vault", Name: "ca", Kind: secret.CA, CommonName: "Vault CA"},
		secret.Spec{Addon: "vault", Name: "server", Kind: secret.Cert, CA: "vault/ca", CommonName: ServerName, DNS: []string{ServerName, "localhost"}, IPs: []string{"127.0.0.1"}, Server: true},
	)
	g.tokens = set
	g.ca, _ = set.Public("vault/ca")
	cert, _ := set.Public("vault/server")
	key, _ := set.Secret("vault/server")
	for name, text := range map[string]string{"tls.crt": cert, "tls.key": key.RevealString(), "ca.crt": g.ca} {
		if err := os.WriteFile(filepath.Join(g.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Certificate and SignIntermediate make the ground an Authority.
func (g *ground) Certificate(context.Context) (string, error) {
	text, _ := g.tokens.Public("clusterup/ca")
	return text, nil
}

func (g *ground) SignIntermediate(_ context.Context, request string) (string, error) {
	return g.tokens.SignIntermediate("clusterup/ca", []byte(request), time.Now())
}
