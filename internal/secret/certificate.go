// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"time"
)

const (
	caYears   = 10
	leafYears = 2
	// backdated is how far the clocks of nodes may be behind ours.
	backdated = time.Hour
)

// authority is a CA that was read back from the bucket.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t token) (*authority, error) {
	cert, err := decodeCertificate(t.public)
	if err != nil {
		return nil, err
	}
	key, err := decodeKey(t.secret)
	if err != nil {
		return nil, err
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return nil, errors.New("its key does not belong to its certificate")
	}
	return &authority{cert: cert, key: key}, nil
}

func selfSign(s Spec, key *ecdsa.PrivateKey, now time.Time) (string, error) {
	template := &x509.Certificate{ // the serial is random when none is given
		Subject:               pkix.Name{CommonName: s.commonName()},
		NotBefore:             now.Add(-backdated),
		NotAfter:              now.AddDate(caYears, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        !s.Intermediates, // then it issues leaves only
	}
	if s.Intermediates {
		template.MaxPathLen = 1 // whose intermediates issue leaves only
	}
	return sign(template, template, key, key)
}

// issue makes a leaf that is not valid beyond its CA.
func (a *authority) issue(s Spec, key *ecdsa.PrivateKey, now time.Time) (string, error) {
	if a == nil {
		return "", fmt.Errorf("no CA %s", s.CA)
	}
	if !now.Before(a.cert.NotAfter) {
		return "", fmt.Errorf("%s expired on %s", s.CA, a.cert.NotAfter.Format(time.DateOnly))
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: s.commonName()},
		DNSNames:              s.DNS,
		NotBefore:             later(now.Add(-backdated), a.cert.NotBefore),
		NotAfter:              earlier(now.AddDate(leafYears, 0, 0), a.cert.NotAfter),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}
	for _, text := range s.IPs {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(text))
	}
	if s.Server {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if s.Client {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	return sign(template, a.cert, key, a.key)
}

func sign(template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) (string, error) {
	return signPublic(template, parent, &key.PublicKey, by)
}

// signPublic issues a certificate for a key of which only the public half is here.
func signPublic(template, parent *x509.Certificate, key *ecdsa.PublicKey, by *ecdsa.PrivateKey) (string, error) {
	public, err := key.Bytes()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(public)
	template.SubjectKeyId = sum[:20]
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, by)
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
