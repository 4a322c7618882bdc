// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"testing"

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

// issue makes the CA and the certificate that the add-on asks for.
func (g *ground) issue(t *testing.T) {
	t.Helper()
	id, err := secret.CreateIdentity(filepath.Join(g.dir, "issuer", "identity.txt"))
	if err != nil {
		t.Fatal(err)
	}
	keeper := &secret.Keeper{Bucket: tokens{&folder{dir: t.TempDir()}}, Recipients: []secret.Recipient{id.Recipient()}, Identities: []secret.Identity{id}}
	specs := []secret.Spec{
		{Addon: "vault", Name: "ca", Kind: secret.CA, CommonName: "Vault CA"},
		{Addon: "vault", Name: "server", Kind: secret.Cert, CA: "vault/ca", CommonName: ServerName, DNS: []string{ServerName, "localhost"}, IPs: []string{"127.0.0.1"}, Server: true},
	}
	if err := keeper.Make(t.Context(), specs); err != nil {
		t.Fatal(err)
	}
	set, err := keeper.Load(t.Context(), specs)
	if err != nil {
		t.Fatal(err)
	}
	g.ca, _ = set.Public("vault/ca")
	cert, _ := set.Public("vault/server")
	key, _ := set.Secret("vault/server")
	for name, text := range map[string]string{"tls.crt": cert, "tls.key": key.RevealString()} {
		if err := os.WriteFile(filepath.Join(g.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
