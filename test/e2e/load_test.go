// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// load is requests from outside, one after the other from each of its workers,
// over and over the nodes. A request that fails is never sent again: not by
// it, and not by Go's client, which could not send this body twice.
type load struct {
	workers  []*worker
	requests atomic.Int64
	mu       sync.Mutex
	failures []failure
}

type failure struct {
	at   time.Time
	what string
}

// worker is one client: HTTP or HTTPS, through one host, with a connection for
// every request or one for as long as it lasts.
type worker struct {
	name   string
	url    string
	next   int
	nodes  []string // where the ports are: address and port
	client *http.Client
}

// patience is how long a worker waits for an answer.
const patience = 5 * time.Second

// pause is between two requests of a worker: enough to leave the machine, which
// is the cluster too, some time.
const pause = 10 * time.Millisecond

func newLoad(hosts, nodes []string, ports map[string]int, roots *x509.CertPool) *load {
	l := &load{}
	for _, host := range hosts {
		for _, scheme := range []string{"http", "https"} {
			for _, how := range []string{"new", "kept", "h2"} {
				if scheme == "http" && how == "h2" {
					continue
				}
				w := &worker{name: scheme + " " + host + " " + how, url: scheme + "://" + host + "/load"}
				for _, n := range nodes {
					w.nodes = append(w.nodes, net.JoinHostPort(n, fmt.Sprint(ports[scheme])))
				}
				w.client = &http.Client{Timeout: patience, Transport: &http.Transport{
					DisableKeepAlives: how == "new", MaxIdleConnsPerHost: 1, ForceAttemptHTTP2: how == "h2",
					TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
					DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
						w.next++
						return (&net.Dialer{}).DialContext(ctx, "tcp", w.nodes[w.next%len(w.nodes)])
					},
				}}
				l.workers = append(l.workers, w)
			}
		}
	}
	return l
}

// run keeps all workers busy until the function that it gives back is called.
func (l *load) run(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wait sync.WaitGroup
	for _, w := range l.workers {
		wait.Go(func() {
			defer w.client.CloseIdleConnections()
			for tick := time.NewTicker(pause); ; {
				if err := w.request(); err != nil {
					l.mu.Lock()
					l.failures = append(l.failures, failure{time.Now(), w.name + ": " + err.Error()})
					l.mu.Unlock()
				}
				l.requests.Add(1)
				select {
				case <-ctx.Done():
					tick.Stop()
					return
				case <-tick.C:
				}
			}
		})
	}
	return func() {
		cancel()
		wait.Wait()
	}
}

// request sends one and expects the application's answer. Its body cannot be
// rewound, so that no client sends it a second time behind our back.
func (w *worker) request() error {
	body := struct{ io.Reader }{strings.NewReader("once")}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, w.url, body)
	if err != nil {
		return err
	}
	r.ContentLength = 4
	answer, err := w.client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	switch {
	case err != nil:
		return err
	case answer.StatusCode != http.StatusOK:
		return fmt.Errorf("%s %.60s", answer.Status, text)
	case answer.Header.Get("X-Pod") == "":
		return errors.New("the answer is not the application's")
	}
	return nil
}

// failed lists the failures so far, and forgets them.
func (l *load) failed() []failure {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.failures
	l.failures = nil
	return all
}
