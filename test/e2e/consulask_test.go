// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"clusterup.dev/clusterup/internal/kube"
)

// putKey writes a key as an operator does, with the management token.
func (w *world) putKey(t *testing.T, c *kube.Cluster, key, value string) {
	t.Helper()
	said, code := w.ask(t, c, "consul", "consul-server-0", 8501, request{
		method: http.MethodPut, path: "/v1/kv/" + key, tls: true, text: value, headers: map[string]string{"X-Consul-Token": w.token(t, "consul/bootstrap")},
	})
	if code != http.StatusOK {
		t.Fatalf("writing %s: %d %s", key, code, said)
	}
}

// putSecret writes a secret to Vault under the role demo.
func (w *world) putSecret(t *testing.T, c *kube.Cluster, path string, data map[string]string) {
	t.Helper()
	if said := w.tryKubectl("get", "namespace", "demo"); strings.Contains(said, "NotFound") {
		w.kubectl("", "create", "namespace", "demo")
		w.kubectl("", "-n", "demo", "create", "serviceaccount", "demo")
	}
	jwt := strings.TrimSpace(w.kubectl("", "-n", "demo", "create", "token", "demo", "--audience=vault"))
	said, code := w.ask(t, c, "vault", "vault-0", 8200, request{
		method: http.MethodPost, path: "/v1/auth/kubernetes/login", tls: true, body: map[string]string{"role": "demo", "jwt": jwt},
	})
	var login struct {
		Auth struct {
			Token string `json:"client_token"`
		}
	}
	if err := json.Unmarshal([]byte(said), &login); err != nil || code != http.StatusOK {
		t.Fatalf("logging in to Vault: %d %v", code, err)
	}
	said, code = w.ask(t, c, "vault", "vault-0", 8200, request{
		method: http.MethodPost, path: "/v1/secret/data/" + path, tls: true, body: map[string]any{"data": data},
		headers: map[string]string{"X-Vault-Token": login.Auth.Token},
	})
	if code != http.StatusOK {
		t.Fatalf("writing the secret %s: %d %s", path, code, said)
	}
}

type request struct {
	method, path string
	tls          bool
	headers      map[string]string
	password     string
	text         string
	body         any // as JSON
}

// ask sends one request to a port of a pod; 0 is the status of no answer.
func (w *world) ask(t *testing.T, c *kube.Cluster, namespace, pod string, port int, r request) (string, int) {
	t.Helper()
	transport := &http.Transport{
		DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return c.Dial(ctx, namespace, pod, port) },
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}
	defer transport.CloseIdleConnections()
	scheme, body := "http", []byte(r.text)
	if r.tls {
		scheme = "https"
	}
	if r.body != nil {
		var err error
		if body, err = json.Marshal(r.body); err != nil {
			t.Fatal(err)
		}
	}
	sent, err := http.NewRequestWithContext(t.Context(), r.method, fmt.Sprintf("%s://%s%s", scheme, pod, r.path), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range r.headers {
		sent.Header.Set(name, value)
	}
	if r.password != "" {
		sent.SetBasicAuth("anybody", r.password)
	}
	answer, err := transport.RoundTrip(sent)
	if err != nil {
		return err.Error(), 0
	}
	defer func() { _ = answer.Body.Close() }()
	said, err := io.ReadAll(answer.Body)
	if err != nil {
		return err.Error(), 0
	}
	return string(said), answer.StatusCode
}
