// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
	"k8s.io/client-go/tools/clientcmd"
)

func exampleFacts(t *testing.T) facts {
	t.Helper()
	n, err := parseNetwork("10.88.0.0/16")
	if err != nil {
		t.Fatal(err)
	}
	set := serverSet{
		Servers: map[string]string{"kubernetes": "v1.36.3"},
		Images: map[string][]string{"images-kube.tar": {
			"registry.k8s.io/pause:3.10.2", "docker.io/rancher/local-path-provisioner:v0.0.30",
		}},
	}
	return newFacts(layout{root: "/state", environment: "lab"}, n, set, 2, 3, 1400, "/usr/lib/cni")
}

// Every template fills in without a gap and parses as what it is.
func TestTemplatesParse(t *testing.T) {
	f := exampleFacts(t)
	documents := map[string]int{"kubeadm.yaml": 3, "kubelet.yaml": 1, "cluster.yaml": 10}
	for name, want := range documents {
		text, err := render(name, f)
		if err != nil {
			t.Fatal(err)
		}
		decoder, count := yaml.NewDecoder(bytes.NewReader(text)), 0
		for ; ; count++ {
			var document map[string]any
			err := decoder.Decode(&document)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil || document["kind"] == "" {
				t.Fatalf("%s, document %d: %v", name, count, err)
			}
		}
		if count != want {
			t.Errorf("%s has %d documents, want %d", name, count, want)
		}
	}
	conflist, err := render("cni.conflist", f)
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(conflist) || !strings.Contains(string(conflist), `"subnet": "10.88.2.0/24"`) {
		t.Errorf("CNI configuration:\n%s", conflist)
	}
	for name, want := range map[string]string{
		"hosts":           "10.88.0.12 lab-2\n10.88.0.13 lab-3\n",
		"containerd.toml": `sandbox_image = "registry.k8s.io/pause:3.10.2"`,
		"kubelet.yaml":    "cgroupRoot: /clusterup/lab/lab-2\n",
		"cluster.yaml":    "image: docker.io/rancher/local-path-provisioner:v0.0.30\n",
	} {
		text, err := render(name, f)
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s lacks %q (%v):\n%s", name, want, err, text)
		}
	}
}

// The CA is made once, and a kubeconfig that it signs is one that client-go
// takes and a server with the same CA accepts.
func TestAuthorityIssuesIdentities(t *testing.T) {
	dir := t.TempDir()
	crt, key := filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key")
	first, err := ensureAuthority(crt, key)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := ensureAuthority(crt, key)
	if err != nil || !bytes.Equal(ca.certPEM, first.certPEM) {
		t.Fatalf("the CA was made twice (%v)", err)
	}
	certPEM, keyPEM, err := ca.client(pkix.Name{CommonName: "system:node:lab-2", Organization: []string{"system:nodes"}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := renderKubeconfig("lab", "https://10.88.0.11:6443", "system:node:lab-2", ca.certPEM, certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(text)
	if err != nil {
		t.Fatal(err)
	}
	if config.Host != "https://10.88.0.11:6443" {
		t.Errorf("server %s", config.Host)
	}
	pair, err := tls.X509KeyPair(config.CertData, config.KeyData)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(config.CAData)
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}
}
