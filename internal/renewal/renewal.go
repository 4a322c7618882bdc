// SPDX-License-Identifier: Apache-2.0

// Package renewal keeps a certificate valid: it looks at the one that is there, and
// has another one issued before it ends. It runs in a pod, and nobody calls it.
package renewal

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"clusterup.dev/clusterup/internal/secret"
)

// Pair is a certificate with the intermediates above it, and its key, both in PEM.
type Pair struct {
	Chain   string
	Key     secret.Value
	Version string // of what it was read from
}

// Shelf is where the certificate is served from.
type Shelf interface {
	// Read gives what is there. Where there is nothing to write into, the error
	// wraps ErrNowhere.
	Read(ctx context.Context) (Pair, error)
	// Write replaces what was read as this version, or fails.
	Write(ctx context.Context, p Pair) error
}

// ErrNowhere says that there is nothing that a certificate could be put into.
var ErrNowhere = errors.New("there is nothing to put the certificate into")

// Issuer issues certificates.
type Issuer interface {
	// Issuer is the CA that they are issued from now.
	Issuer(ctx context.Context) (*x509.Certificate, error)
	// Sign issues one for a request in PEM, and gives it with what is above it.
	Sign(ctx context.Context, request string) (chain string, err error)
}

// Keeper keeps one certificate.
type Keeper struct {
	Names  []string // DNS names that it is for; the first is its common name
	Shelf  Shelf
	Issuer Issuer
	Now    func() time.Time // nil is time.Now

	mu   sync.Mutex
	good *x509.Certificate // the one that was last found, or put there, and is right
}

// Once looks at the certificate and replaces it if it has to be. It says what it did;
// nothing when there was nothing to do.
func (k *Keeper) Once(ctx context.Context) (said string, err error) {
	pair, err := k.Shelf.Read(ctx)
	if err != nil {
		return "", err
	}
	defer pair.Key.Wipe()
	by, err := k.Issuer.Issuer(ctx)
	if err != nil {
		return "", err
	}
	leaf, why := k.wrong(pair, by)
	if why == "" && !k.now().Before(renewAt(leaf)) {
		why = "the one before ends on " + leaf.NotAfter.UTC().Format(time.DateTime)
	}
	if why == "" {
		k.found(leaf)
		return "", nil
	}
	next, err := k.issue(ctx)
	if err != nil {
		return "", err
	}
	defer next.Key.Wipe()
	if leaf, err = k.taken(next, by); err != nil {
		return "", err
	}
	next.Version = pair.Version
	if err := k.Shelf.Write(ctx, next); err != nil {
		return "", err
	}
	k.found(leaf)
	return fmt.Sprintf("issued a certificate for %s, valid until %s, because %s", strings.Join(k.Names, ", "), leaf.NotAfter.UTC().Format(time.DateTime), why), nil
}

// wrong says why the certificate has to be replaced whenever it ends; "" when it does not.
func (k *Keeper) wrong(p Pair, by *x509.Certificate) (leaf *x509.Certificate, why string) {
	pair, err := tls.X509KeyPair([]byte(p.Chain), p.Key.Reveal())
	if err != nil {
		return nil, "there was none that fits its key"
	}
	leaf = pair.Leaf
	names := slices.Sorted(slices.Values(leaf.DNSNames))
	switch {
	case leaf.CheckSignatureFrom(by) != nil:
		return leaf, "the one before was issued by " + leaf.Issuer.CommonName
	case !slices.Equal(names, slices.Sorted(slices.Values(k.Names))):
		return leaf, "the one before was for " + strings.Join(names, ", ")
	}
	return leaf, ""
}

// taken refuses what was issued and is not what was asked for: it would be replaced
// again with every look.
func (k *Keeper) taken(p Pair, by *x509.Certificate) (*x509.Certificate, error) {
	leaf, wrong := k.wrong(p, by)
	if wrong != "" {
		return nil, errors.New("the certificate that was issued is not what was asked for: " + strings.ReplaceAll(wrong, "the one before", "it"))
	}
	return leaf, nil
}

// renewAt is when a third of the certificate's life is left.
func renewAt(leaf *x509.Certificate) time.Time {
	return leaf.NotAfter.Add(-leaf.NotAfter.Sub(leaf.NotBefore) / 3)
}

// lateAt is when a sixth is left: by then it should have been renewed for long.
func lateAt(leaf *x509.Certificate) time.Time {
	return leaf.NotAfter.Add(-leaf.NotAfter.Sub(leaf.NotBefore) / 6)
}

// issue makes a key, which goes nowhere but to the shelf, and a certificate for it.
func (k *Keeper) issue(ctx context.Context) (p Pair, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return p, err
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: k.Names[0]}, DNSNames: k.Names}, key)
	if err != nil {
		return p, err
	}
	p.Chain, err = k.Issuer.Sign(ctx, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request})))
	if err != nil {
		return p, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return p, err
	}
	defer clear(der)
	p.Key = secret.NewValue(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	return p, nil
}

func (k *Keeper) found(leaf *x509.Certificate) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.good = leaf
}

// Healthy is nil while the certificate is the one that it should be, and its renewal
// is not overdue.
func (k *Keeper) Healthy() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.good == nil:
		return errors.New("no certificate is there yet")
	case !k.now().Before(lateAt(k.good)):
		return fmt.Errorf("the certificate ends on %s and could not be renewed", k.good.NotAfter.UTC().Format(time.DateTime))
	}
	return nil
}

func (k *Keeper) now() time.Time {
	if k.Now == nil {
		return time.Now()
	}
	return k.Now()
}
