// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// tap stands between a run and the replicas and reads everything that passes, opened.
// It can also lose answers.
type tap struct {
	w         *world
	addresses map[string]string // by the port of the replica

	mu    sync.Mutex
	seen  bytes.Buffer
	asked []string                   // "PUT sys/rekey/update", in order
	lose  func(n int, r string) bool // whether the nth request's answer is lost, which Vault has given
	deaf  bool                       // no more requests reach Vault
}

func (w *world) tap(t *testing.T) *tap {
	t.Helper()
	p := &tap{w: w, addresses: map[string]string{}}
	pair, err := tls.LoadX509KeyPair(filepath.Join(w.ground.dir, "tls.crt"), filepath.Join(w.ground.dir, "tls.key"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(w.CA))
	for _, port := range w.Ports {
		p.lead(t, fmt.Sprint(port), pair, roots)
	}
	return p
}

func (p *tap) lead(t *testing.T, port string, pair tls.Certificate, roots *x509.CertPool) {
	t.Helper()
	target := &url.URL{Scheme: "https", Host: "127.0.0.1:" + port}
	proxy := &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:      &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: ServerName}},
		ModifyResponse: p.hear,
		ErrorLog:       log.New(io.Discard, "", 0),
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		p.mu.Lock()
		p.seen.Write(body)
		deaf := p.deaf
		p.mu.Unlock()
		if err != nil || deaf {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(rw, r)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server.StartTLS()
	t.Cleanup(server.Close)
	p.addresses[port] = server.Listener.Addr().String()
}

func (p *tap) hear(r *http.Response) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen.Write(body)
	name := r.Request.Method + " " + strings.TrimPrefix(r.Request.URL.Path, "/v1/")
	if strings.HasSuffix(name, "sys/health") {
		return nil
	}
	p.asked = append(p.asked, name)
	if p.lose != nil && p.lose(len(p.asked), name) {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// through leads a connection by way of the tap.
func (p *tap) through(c net.Conn) net.Conn {
	_, port, _ := net.SplitHostPort(c.RemoteAddr().String())
	_ = c.Close()
	led, err := net.Dial("tcp", p.addresses[port])
	if err != nil {
		return c // closed
	}
	return led
}

// open opens the world's Vault by way of the tap.
func (p *tap) open(t *testing.T) *Vault {
	t.Helper()
	v, err := p.w.vault(p.w.bucket(), p.through)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}
