// SPDX-License-Identifier: Apache-2.0

// Package ingress looks after the controllers that take requests from outside:
// whether a request reaches each of them, and which routes claim the same thing.
package ingress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Cluster is what is needed of Kubernetes. Before there is one, every method
// answers converge.ErrNotYet.
type Cluster interface {
	// Controllers are the pods that take requests and are not about to go.
	Controllers(ctx context.Context) ([]Controller, error)
	// Dial connects to the HTTPS port of a controller.
	Dial(ctx context.Context, pod string) (net.Conn, error)
	// List gives all objects of a kind; none when the kind is not served.
	List(ctx context.Context, kind schema.GroupVersionKind) ([]*unstructured.Unstructured, error)
}

// Controller is one pod.
type Controller struct {
	Name  string
	Ready bool
}

// Config says what is looked after.
type Config struct {
	Cluster Cluster
	Step    string                                    // "ingress/routes"
	Class   string                                    // of Ingresses and Gateways: "traefik"
	Domain  string                                    // what the default certificate is for, with what is right below it
	CA      func(ctx context.Context) ([]byte, error) // who issued it, in PEM
	Timeout time.Duration
}

// Ingress is the controllers of one environment.
type Ingress struct{ Config }

// New makes no request.
func New(c Config) *Ingress { return &Ingress{c} }

// Status is what the controllers answered, and what routes claim.
type Status struct {
	Controllers int
	Answering   int
	Silent      []string // why the others do not answer: "traefik-1: EOF"
	Foreign     error    // a certificate that is not the environment's, or not for the domain
	// Ends is when the first of the certificates that they showed ends; Late says that
	// it should have been renewed by now.
	Ends    time.Time
	Late    bool
	Doubles []Double
}

// Whole reports whether every controller there is answers.
func (s Status) Whole() bool { return s.Controllers > 0 && s.Answering == s.Controllers }

// Status sends a request to every controller and reads all routes.
func (i *Ingress) Status(ctx context.Context) (Status, error) {
	all, err := i.Cluster.Controllers(ctx)
	if err != nil {
		return Status{}, err
	}
	ca, err := i.CA(ctx)
	if err != nil {
		return Status{}, err
	}
	s := Status{Controllers: len(all)}
	errs, shown := make([]error, len(all)), make([]*x509.Certificate, len(all))
	var wait sync.WaitGroup
	for n, c := range all {
		if !c.Ready {
			errs[n] = errors.New("not ready")
			continue
		}
		wait.Go(func() { shown[n], errs[n] = i.ask(ctx, c.Name, ca) })
	}
	s.Doubles, err = i.doubles(ctx)
	wait.Wait()
	for n, e := range errs {
		var foreign *tls.CertificateVerificationError
		if errors.As(e, &foreign) {
			s.Foreign = fmt.Errorf("%s: %w", all[n].Name, e)
		}
		if e == nil {
			s.Answering++
			s.look(shown[n], time.Now())
		} else {
			s.Silent = append(s.Silent, fmt.Sprintf("%s: %v", all[n].Name, e))
		}
	}
	return s, err
}

const (
	probe      = "clusterup." // a name right below the domain, that nobody's route should have
	askTimeout = 10 * time.Second
)

// lateBefore is how long before its end a certificate is late at most. One with a
// short life is late when a fifth of it is left: it is renewed before that.
const lateBefore = 30 * 24 * time.Hour

func (s *Status) look(shown *x509.Certificate, now time.Time) {
	if s.Ends.IsZero() || shown.NotAfter.Before(s.Ends) {
		s.Ends = shown.NotAfter
	}
	left := min(shown.NotAfter.Sub(shown.NotBefore)/5, lateBefore)
	s.Late = s.Late || now.After(shown.NotAfter.Add(-left))
}

// Warning says what is the matter with the certificate; "" while nothing is.
func (s Status) Warning() string {
	if !s.Late {
		return ""
	}
	return "the certificate ends on " + s.Ends.UTC().Format(time.DateTime) + " and was not renewed: docs/ingress.md says how"
}

// ask sends one request through a controller and gives the certificate that it showed.
// Any answer will do: where no route takes it, it is the controller's own.
func (i *Ingress) ask(ctx context.Context, pod string, ca []byte) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("the environment's CA is no certificate")
	}
	transport := &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return i.Cluster.Dial(ctx, pod) },
		TLSClientConfig:   &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DisableKeepAlives: true,
	}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, "https://"+probe+i.Domain+"/", nil)
	if err != nil {
		return nil, err
	}
	answer, err := transport.RoundTrip(request) // follows no redirect
	if err != nil {
		return nil, err
	}
	return answer.TLS.PeerCertificates[0], answer.Body.Close()
}
