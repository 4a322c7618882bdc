// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"time"
)

// validity is that of the cluster's CA and of every certificate below it:
// nothing in a local environment is there to renew one.
const validity = 10 * 365 * 24 * time.Hour

// authority is the cluster's CA. kubeadm finds it in its folder and uses it; we
// make it, so that every node can get its identity before there is an API
// server to ask, and no bootstrap token is ever needed.
type authority struct {
	cert    *x509.Certificate
	certPEM []byte
	key     *ecdsa.PrivateKey
}

// ensureAuthority reads the CA, or makes it. The key is written first: only a
// certificate says that the CA is there.
func ensureAuthority(certFile, keyFile string) (authority, error) {
	a, err := readAuthority(certFile, keyFile)
	if !errors.Is(err, fs.ErrNotExist) {
		return a, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return a, err
	}
	template := certificate(pkix.Name{CommonName: "kubernetes"})
	template.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageCertSign
	template.BasicConstraintsValid, template.IsCA, template.DNSNames = true, true, []string{"kubernetes"}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return a, err
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return a, err
	}
	if err := writeFile(keyFile, keyPEM, 0o600); err != nil {
		return a, err
	}
	if err := writeFile(certFile, encodeCert(der), 0o644); err != nil {
		return a, err
	}
	return readAuthority(certFile, keyFile)
}

func readAuthority(certFile, keyFile string) (a authority, err error) {
	if a.certPEM, err = os.ReadFile(certFile); err != nil {
		return a, err
	}
	keyPEM, err := os.ReadFile(keyFile)
	if err != nil {
		return a, err
	}
	certBlock, _ := pem.Decode(a.certPEM)
	keyBlock, _ := pem.Decode(keyPEM)
	if certBlock == nil || keyBlock == nil {
		return a, fmt.Errorf("%s or %s is not PEM", certFile, keyFile)
	}
	if a.cert, err = x509.ParseCertificate(certBlock.Bytes); err != nil {
		return a, fmt.Errorf("read %s: %w", certFile, err)
	}
	if a.key, err = x509.ParseECPrivateKey(keyBlock.Bytes); err != nil {
		return a, fmt.Errorf("read %s: %w", keyFile, err)
	}
	return a, nil
}

// client issues a client certificate and its key.
func (a authority) client(name pkix.Name) (certPEM, keyPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := certificate(name)
	template.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	template.NotAfter = a.cert.NotAfter
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, nil, err
	}
	keyPEM, err = encodeKey(key)
	return encodeCert(der), keyPEM, err
}

func certificate(name pkix.Name) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126)) // never fails
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)), Subject: name,
		NotBefore: now.Add(-5 * time.Minute), NotAfter: now.Add(validity),
	}
}

func encodeCert(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}
