// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificateFromVault adds the ingress with a certificate that Vault issues: it is served
// from outside, by a chain that ends at the environment's CA; no run takes it for
// drift; and where it was lost, the pod has another one issued.
func (w *world) certificateFromVault(t *testing.T) {
	file, err := os.ReadFile(filepath.Join(w.dir, "environments", w.name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	w.rewrite(t, string(file)+"    - {name: ingress, values: {certificate: vault, service: {type: NodePort}}}\n    - {name: ingress-certificate}\n")
	w.must(8*time.Minute, "create", w.name, "--yes")
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(w.kubectl("", "-n", "ingress", "get", "configmap", "ca", "-o", `jsonpath={.data.ca\.crt}`))) {
		t.Fatal("the ConfigMap ca holds no certificate")
	}
	node := strings.Fields(w.kubectl("", "get", "nodes", "-o", `jsonpath={.items[*].status.addresses[?(@.type=="InternalIP")].address}`))[0]
	issuer := func() (name, serial string) {
		dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Second}, Config: &tls.Config{RootCAs: roots, ServerName: "web." + w.name + ".internal"}}
		conn, err := dialer.DialContext(t.Context(), "tcp", net.JoinHostPort(node, "30443"))
		if err != nil {
			return err.Error(), ""
		}
		defer conn.Close()
		state := conn.(*tls.Conn).ConnectionState()
		return state.VerifiedChains[0][0].Issuer.CommonName, state.PeerCertificates[0].SerialNumber.String()
	}
	served := func(what, but string) (serial string) {
		until(t, what, time.Minute, func() bool {
			var name string
			name, serial = issuer()
			return name == "cluster CA" && serial != but
		})
		return serial
	}
	first := served("a certificate of Vault's at the way in", "")
	if again := w.must(time.Minute, "create", w.name); !strings.Contains(again.out, "nothing to do") {
		t.Errorf("the run after says %q", again.out)
	}
	if status := w.must(time.Minute, "status", w.name); !strings.Contains(status.out, "certificate until ") {
		t.Error("status does not say until when the certificate is valid")
	}

	w.kubectl("", "-n", "ingress", "delete", "secret", "vault-certificate")
	w.must(3*time.Minute, "create", w.name, "--yes")
	w.kubectl("", "-n", "ingress-certificate", "delete", "pod", "-l", "app.kubernetes.io/component=renewer", "--wait=true", "--timeout=60s")
	served("another certificate of Vault's", first)
	w.kubectl("", "-n", "ingress-certificate", "rollout", "status", "deployment/renewer", "--timeout=60s")
	w.must(time.Minute, "diff", w.name)
}
