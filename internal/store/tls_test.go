// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"encoding/pem"
	"io"
	"log"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"clusterup.dev/clusterup/internal/store"
	"clusterup.dev/clusterup/internal/testservers"
)

// An endpoint with its own CA is trusted through the configuration or through
// AWS_CA_BUNDLE, and the configuration wins; over TLS the SDK sends its
// checksums in a trailer.
func TestOwnCA(t *testing.T) {
	s := testservers.S3(t)
	target, err := url.Parse(s.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
	}})
	front.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are wanted here
	front.StartTLS()
	t.Cleanup(front.Close)
	dir := t.TempDir()
	ca, bundle := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "bundle.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile("/etc/ssl/certs/ca-certificates.crt")
	if err != nil {
		testservers.Missing(t, "no CA bundle on this machine: %v", err)
	}
	if err := os.WriteFile(bundle, other, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ file, env, fails string }{
		"nothing":               {fails: "unknown authority"},
		"configured":            {file: ca},
		"environment":           {env: ca},
		"configured wins":       {file: ca, env: bundle},
		"other in environment":  {env: bundle, fails: "unknown authority"},
		"environment is broken": {env: dir + "/none", fails: dir + "/none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("AWS_CA_BUNDLE", tc.env)
			c := config(s)
			c.Endpoint, c.CAFile = front.URL, tc.file
			b, err := store.Open(t.Context(), c)
			if tc.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tc.fails) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.PutNew(t.Context(), strings.ReplaceAll(name, " ", "-")+".json", []byte("x")); err != nil {
				t.Error(err)
			}
		})
	}
}
