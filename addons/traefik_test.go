// SPDX-License-Identifier: Apache-2.0

package addons_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"clusterup.dev/clusterup/internal/testservers"
)

// startTraefik starts it on loopback, as the add-on's ServiceAccount.
func startTraefik(t *testing.T, kubeconfig string, args []string, c keyPair, web, https int) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	token, err := clients(t, kubeconfig).CoreV1().ServiceAccounts("ingress").CreateToken(t.Context(), "traefik", &authv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ca := config.CAData
	if len(ca) == 0 {
		if ca, err = os.ReadFile(config.CAFile); err != nil {
			t.Fatal(err)
		}
	}
	dynamic, err := os.ReadFile("ingress/files/tls.yaml")
	if err != nil {
		t.Fatal(err)
	}
	write("tls.crt", c.crt)
	write("tls.key", c.key)
	ping := testservers.Port(t)
	swap := strings.NewReplacer(
		"/etc/traefik/dynamic/tls.yaml", write("tls.yaml", strings.ReplaceAll(string(dynamic), "/etc/traefik/tls/", dir+"/")),
		"web.address=:80", fmt.Sprintf("web.address=127.0.0.1:%d", web), "websecure.address=:443", fmt.Sprintf("websecure.address=127.0.0.1:%d", https),
		"ping.address=:8080", fmt.Sprintf("ping.address=127.0.0.1:%d", ping), "metrics.address=:9100", fmt.Sprintf("metrics.address=127.0.0.1:%d", testservers.Port(t)),
	)
	own := []string{}
	for _, arg := range args {
		own = append(own, swap.Replace(arg))
		if provider, ok := strings.CutSuffix(arg, "=true"); ok && strings.HasPrefix(arg, "--providers.kubernetes") && strings.Count(provider, ".") == 1 {
			own = append(own, provider+".endpoint="+config.Host, provider+".token="+write("token", token.Status.Token), provider+".certauthfilepath="+write("ca.crt", string(ca)))
		}
	}
	testservers.Start(t, testservers.Program{Path: testservers.Bin(t, "traefik"), Args: own, Ready: testservers.Answers(fmt.Sprintf("http://127.0.0.1:%d/ping", ping))})
}

// shown is the number of the certificate that a client sees who asks for a name.
func shown(ctx context.Context, port int, name string) (int64, error) {
	dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Second}, Config: &tls.Config{ServerName: name, InsecureSkipVerify: true}} //nolint:gosec // its number is what is looked at
	conn, err := dialer.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
}

func clients(t *testing.T, kubeconfig string) kubernetes.Interface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

type keyPair struct{ crt, key string }

// issue makes a certificate of that number for the domain and what is right below it.
func issue(t *testing.T, number int64) keyPair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(number), Subject: pkix.Name{CommonName: renewedDomain}, DNSNames: []string{renewedDomain, "*." + renewedDomain},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return keyPair{text("CERTIFICATE", der), text("PRIVATE KEY", private)}
}
