// SPDX-License-Identifier: Apache-2.0

package testservers

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"testing"
)

// Ports below the range that the kernel hands out to outgoing connections, so
// that nothing but another test can take one between the look and the use.
const (
	firstPort = 20000
	lastPort  = 32000
)

// Port is a free TCP port on 127.0.0.1.
func Port(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatalf("close port %d: %v", port, err)
		}
		return port
	}
	t.Fatal("no free port on 127.0.0.1")
	return 0
}

// Answers is a readiness condition: a GET of url is answered with 200. The
// certificate is not looked at.
func Answers(url string) func(context.Context) error {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // readiness of a test's own server
	}}
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s", url, resp.Status)
		}
		return nil
	}
}
