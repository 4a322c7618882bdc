// SPDX-License-Identifier: Apache-2.0

package testservers

import (
	"crypto/x509/pkix"
	"fmt"
	"path/filepath"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// APIServer starts etcd and a Kubernetes API server, with RBAC, and returns the
// path of a kubeconfig for an administrator. There are no controllers and no
// nodes: what a controller would do, the test does. Service accounts are not
// required of pods, because nothing makes them.
func APIServer(t testing.TB) string {
	t.Helper()
	apiserver := Bin(t, "kube-apiserver")
	etcd := Etcd(t)
	dir := t.TempDir()
	ca := issue(t, dir, "ca", pkix.Name{CommonName: "test-ca"}, nil)
	serving := issue(t, dir, "serving", pkix.Name{CommonName: "kube-apiserver"}, ca)
	accounts := issue(t, dir, "accounts", pkix.Name{CommonName: "service-accounts"}, ca)
	admin := issue(t, dir, "admin", pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}}, ca)

	port := Port(t)
	url := fmt.Sprintf("https://127.0.0.1:%d", port)
	Start(t, Program{
		Name: "kube-apiserver",
		Path: apiserver,
		Args: []string{
			"--etcd-servers=" + etcd,
			"--bind-address=127.0.0.1",
			"--advertise-address=127.0.0.1",
			"--endpoint-reconciler-type=none", // it refuses loopback addresses
			fmt.Sprintf("--secure-port=%d", port),
			"--tls-cert-file=" + serving.certFile,
			"--tls-private-key-file=" + serving.keyFile,
			"--client-ca-file=" + ca.certFile,
			"--cert-dir=" + dir,
			"--service-cluster-ip-range=10.96.0.0/16",
			"--service-account-issuer=https://kubernetes.default.svc",
			"--service-account-key-file=" + accounts.certFile,
			"--service-account-signing-key-file=" + accounts.keyFile,
			"--authorization-mode=RBAC",
			"--disable-admission-plugins=ServiceAccount",
			"--allow-privileged=true",
			"--enable-priority-and-fairness=false",
		},
		Ready: Answers(url + "/readyz"),
	})
	return writeKubeconfig(t, filepath.Join(dir, "kubeconfig"), url, ca, admin)
}

// Etcd starts an etcd that keeps its data only for the test and returns its URL.
func Etcd(t testing.TB) string {
	t.Helper()
	bin := Bin(t, "etcd")
	client := fmt.Sprintf("http://127.0.0.1:%d", Port(t))
	peer := fmt.Sprintf("http://127.0.0.1:%d", Port(t))
	Start(t, Program{
		Name: "etcd",
		Path: bin,
		Args: []string{
			"--data-dir=" + t.TempDir(),
			"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
			"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer,
			"--initial-cluster=default=" + peer,
			"--unsafe-no-fsync",
		},
		Ready: Answers(client + "/readyz"),
	})
	return client
}

func writeKubeconfig(t testing.TB, path, url string, ca, user *pair) string {
	t.Helper()
	config := api.NewConfig()
	config.Clusters["test"] = &api.Cluster{Server: url, CertificateAuthorityData: ca.certPEM}
	config.AuthInfos["admin"] = &api.AuthInfo{ClientCertificateData: user.certPEM, ClientKeyData: user.keyPEM}
	config.Contexts["test"] = &api.Context{Cluster: "test", AuthInfo: "admin"}
	config.CurrentContext = "test"
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}
