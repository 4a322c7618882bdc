// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	gorilla "github.com/gorilla/websocket"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
)

// forwarder speaks the server's side of port-forward: a websocket that carries
// SPDY, a pair of streams for a connection. Ports are those of this machine.
func forwarder(t *testing.T) *Cluster {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/pods/silent/") {
			<-r.Context().Done()
			return
		}
		if !strings.Contains(r.URL.Path, "/pods/web/") {
			http.Error(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404,"message":"pods \"gone\" not found"}`, http.StatusNotFound)
			return
		}
		upgrader := gorilla.Upgrader{Subprotocols: []string{"SPDY/3.1+portforward.k8s.io"}}
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		streams := make(chan httpstream.Stream, 8)
		conn, err := spdy.NewServerConnection(portforward.NewTunnelingConnectionWithLogger(logr.Discard(), ws),
			func(s httpstream.Stream, _ <-chan struct{}) error { streams <- s; return nil })
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		failed, data := <-streams, <-streams
		go serveStreams(data, failed)
		<-conn.CloseChan()
	}))
	t.Cleanup(server.Close)
	c, err := connect(&rest.Config{Host: server.URL}, "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// serveStreams does what a kubelet does with a connection.
func serveStreams(data, failed httpstream.Stream) {
	defer func() { _, _ = failed.Close(), data.Close() }()
	conn, err := net.Dial("tcp", "127.0.0.1:"+data.Headers().Get(corev1.PortHeader))
	if err != nil {
		_, _ = fmt.Fprintf(failed, "error forwarding port: %v", err)
		return
	}
	defer conn.Close()
	go func() {
		_, _ = io.Copy(conn, data)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(data, conn)
}

func portOf(url string) int {
	var port int
	_, _ = fmt.Sscanf(url[strings.LastIndex(url, ":")+1:], "%d", &port)
	return port
}

func TestDialCarriesHTTPOverTLS(t *testing.T) {
	c := forwarder(t)
	body := strings.Repeat("0123456789", 100_000)
	inPod := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	}))
	defer inPod.Close()
	before := runtime.NumGoroutine()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return c.Dial(ctx, "demo", "web", portOf(inPod.URL))
		},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}
	for range 3 {
		answer, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Post("https://web.demo", "text/plain", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil || string(got) != body {
			t.Fatalf("%d bytes came back, want %d; %v", len(got), len(body), err)
		}
	}
	transport.CloseIdleConnections()
	soon(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before+2 })
	if now := runtime.NumGoroutine(); now > before+2 {
		buf := make([]byte, 1<<16)
		t.Errorf("%d goroutines, %d before:\n%s", now, before, buf[:runtime.Stack(buf, true)])
	}
}

func TestDialSaysWhatWentWrong(t *testing.T) {
	c := forwarder(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := closed.Addr().(*net.TCPAddr).Port
	_ = closed.Close()
	conn, err := c.Dial(t.Context(), "demo", "web", port)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err = conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) || !strings.Contains(err.Error(), "demo/web:") {
		t.Errorf("error %v, want connection refused by the pod", err)
	}
	if _, err := c.Dial(t.Context(), "demo", "gone", 80); err == nil || !strings.Contains(err.Error(), `"gone" not found`) {
		t.Errorf("error %v, want that the pod is not there", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := c.Dial(ctx, "demo", "silent", 80); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 2*time.Second {
		t.Errorf("error %v after %s, want the end of ctx", err, time.Since(start))
	}
}

func TestDialKeepsDeadlines(t *testing.T) {
	c := forwarder(t)
	quiet, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer quiet.Close()
	conn, err := c.Dial(t.Context(), "demo", "web", quiet.Addr().(*net.TCPAddr).Port)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	var timeout net.Error
	if _, err := conn.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("error %v, want a timeout", err)
	}
}
