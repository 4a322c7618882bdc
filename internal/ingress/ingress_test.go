// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/converge/convergetest"
	"clusterup.dev/clusterup/internal/hint"
)

// fakeCluster has controllers that a real TLS server stands for. Those whose name
// begins with "dead" hang up.
type fakeCluster struct {
	server *httptest.Server
	after  int64 // looks until the controllers are there
	looks  atomic.Int64
	pods   []Controller
}

func (f *fakeCluster) Controllers(context.Context) ([]Controller, error) {
	if f.looks.Add(1) <= f.after {
		return nil, nil
	}
	return f.pods, nil
}

func (f *fakeCluster) Dial(ctx context.Context, pod string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", f.server.Listener.Addr().String())
	if err == nil && strings.HasPrefix(pod, "dead") {
		_ = conn.Close()
	}
	return conn, err
}

func (f *fakeCluster) List(context.Context, schema.GroupVersionKind) ([]*unstructured.Unstructured, error) {
	return nil, nil
}

// newFake serves for "clusterup.example.com", a name in httptest's certificate,
// and answers 404 as a controller without routes does.
func newFake(t *testing.T, after int64, pods ...Controller) (*fakeCluster, Config) {
	t.Helper()
	f := &fakeCluster{server: httptest.NewTLSServer(http.NotFoundHandler()), after: after, pods: pods}
	t.Cleanup(f.server.Close)
	f.server.Config.ErrorLog = nil
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.server.Certificate().Raw})
	return f, Config{
		Cluster: f, Step: "ingress/routes", Class: "traefik", Domain: "example.com", Timeout: 10 * time.Second,
		CA: func(context.Context) ([]byte, error) { return ca, nil },
	}
}

// The step waits for the controllers, plans nothing once they answer, and takes a
// 404 for the answer that it is.
func TestStep(t *testing.T) {
	_, config := newFake(t, 2, Controller{"traefik-1", true}, Controller{"traefik-2", true})
	convergetest.Run(t, func() converge.Step { return New(config).Step() })
}

// Who does not answer is named with the cause; the others count.
func TestStatus(t *testing.T) {
	_, config := newFake(t, 0, Controller{"traefik-1", true}, Controller{"dead-1", true}, Controller{"traefik-2", false})
	status, err := New(config).Status(t.Context())
	if err != nil || status.Whole() || status.Answering != 1 || status.Foreign != nil {
		t.Errorf("%+v, %v", status, err)
	}
	if got := status.lacking(); !strings.HasPrefix(got, "1 of 3 answer (dead-1: ") || !strings.HasSuffix(got, "; traefik-2: not ready)") {
		t.Error(got)
	}
}

// A certificate for another domain is something to wait for while planning, as an
// earlier step may replace it, and ends the step at once with what to do.
func TestOtherDomain(t *testing.T) {
	_, config := newFake(t, 0, Controller{"traefik-1", true})
	config.Domain = "moved.test"
	step := New(config).Step()
	plan, err := step.Plan(t.Context())
	if err != nil || len(plan.Changes) != 1 || plan.Changes[0].Action != converge.Wait {
		t.Errorf("%+v, %v", plan, err)
	}
	err = step.Apply(t.Context(), plan)
	var other x509.HostnameError
	if !errors.As(err, &other) || !strings.Contains(hint.Of(err), "docs/ingress.md") {
		t.Errorf("%v, hint %q", err, hint.Of(err))
	}
}
