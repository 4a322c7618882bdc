// SPDX-License-Identifier: Apache-2.0

package renewal

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"clusterup.dev/clusterup/internal/secret"
)

// fake issues from a CA of its own, for an hour, and keeps one certificate. While err
// is set nobody reaches it.
type fake struct {
	ca     *x509.Certificate
	key    *ecdsa.PrivateKey
	pair   Pair
	writes int
	err    error
	names  []string // what it issues for, if not what is asked for
}

func newFake(t *testing.T) *fake {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "fake CA"}, NotBefore: time.Now(), NotAfter: time.Now().AddDate(9, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if ca, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return &fake{ca: ca, key: key}
}

func (f *fake) Read(context.Context) (Pair, error) {
	return Pair{Chain: f.pair.Chain, Key: secret.NewString(f.pair.Key.RevealString())}, nil
}

func (f *fake) Write(_ context.Context, p Pair) error {
	f.pair = Pair{Chain: p.Chain, Key: secret.NewString(p.Key.RevealString())}
	f.writes++
	return nil
}

func (f *fake) Issuer(context.Context) (*x509.Certificate, error) { return f.ca, f.err }

func (f *fake) Sign(_ context.Context, request string) (string, error) {
	block, _ := pem.Decode([]byte(request))
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return "", err
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: csr.Subject, DNSNames: csr.DNSNames, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	if f.names != nil {
		leaf.DNSNames = f.names
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, f.ca, csr.PublicKey, f.key)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), err
}

// For a day the certificate is never late, and replaced no more often than it has to
// be; while nobody is reached, that is said once, and tried again soon.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.err = errors.New("sealed")
		k := &Keeper{Names: []string{"x.test"}, Shelf: f, Issuer: f}
		ctx, cancel := context.WithCancel(t.Context())
		var said []string
		done := make(chan error, 1)
		go func() { done <- k.Run(ctx, func(line string) { said = append(said, line) }) }()
		time.Sleep(time.Hour) //nolint:forbidigo // of synctest's clock
		synctest.Wait()
		if len(said) != 1 || said[0] != "trying again: sealed" || k.Healthy() == nil {
			t.Errorf("said %q, healthy: %v", said, k.Healthy())
		}
		f.err = nil
		time.Sleep(most) //nolint:forbidigo // of synctest's clock
		for range 24 * 60 {
			synctest.Wait()
			if err := k.Healthy(); err != nil {
				t.Fatalf("at %s: %v", time.Now(), err)
			}
			time.Sleep(time.Minute) //nolint:forbidigo // of synctest's clock
		}
		if f.writes < 24 || f.writes > 40 || len(said) != f.writes+1 {
			t.Errorf("%d certificates in a day, %d lines", f.writes, len(said))
		}
		f.err = errors.New("sealed")
		time.Sleep(59 * time.Minute) //nolint:forbidigo // of synctest's clock
		synctest.Wait()
		if err := k.Healthy(); err == nil || !strings.Contains(err.Error(), "could not be renewed") {
			t.Errorf("healthy: %v", err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// What is not what was asked for is refused and never served; where there is
// nothing to put it into, Run ends.
func TestRefused(t *testing.T) {
	f := newFake(t)
	f.names = []string{"y.test"}
	k := &Keeper{Names: []string{"x.test"}, Shelf: f, Issuer: f}
	if _, err := k.Once(t.Context()); err == nil || !strings.Contains(err.Error(), "it was for y.test") || f.writes > 0 {
		t.Errorf("%v, %d writes", err, f.writes)
	}
	k.Shelf = nowhere{}
	if err := k.Run(t.Context(), func(string) { t.Error("it goes on") }); !errors.Is(err, ErrNowhere) {
		t.Error(err)
	}
}

type nowhere struct{ Shelf }

func (nowhere) Read(context.Context) (Pair, error) {
	return Pair{}, fmt.Errorf("no Secret: %w", ErrNowhere)
}

// /ready is what Kubernetes sees: 503 with the cause, then 200.
func TestServe(t *testing.T) {
	f := newFake(t)
	k := &Keeper{Names: []string{"x.test"}, Shelf: f, Issuer: f}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- k.Serve(ctx, listener) }()
	var got []string
	for range 2 {
		answer, err := http.Get("http://" + listener.Addr().String() + "/ready")
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		got = append(got, fmt.Sprint(answer.StatusCode, " ", strings.TrimSpace(string(text))))
		if _, err := k.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"503 no certificate is there yet", "200 ready"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
