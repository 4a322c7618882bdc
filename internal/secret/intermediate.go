// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// intermediateYears is how long an intermediate lives at most: half as long as the CA.
const intermediateYears = 5

// SignIntermediate has a CA of the set issue a certificate for the key and the
// subject of a request (PKCS #10 in PEM), which proves that it has the key. The
// result, in PEM, is a CA that issues leaves only and is not valid beyond the
// one that issued it. id is a token of kind ca whose spec has Intermediates.
func (s *Set) SignIntermediate(id string, request []byte, now time.Time) (string, error) {
	t, ok := s.tokens[id]
	if !ok || t.spec.Kind != CA {
		return "", fmt.Errorf("there is no ca %s", id)
	}
	by, err := newAuthority(t)
	if err != nil {
		return "", fmt.Errorf("%s: %w", id, err)
	}
	block, _ := pem.Decode(request)
	if block == nil {
		return "", errors.New("the request for an intermediate is not PEM")
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return "", fmt.Errorf("the request for an intermediate: %w", err)
	}
	if err := csr.CheckSignature(); err != nil {
		return "", fmt.Errorf("the request for an intermediate: %w", err)
	}
	key, ok := csr.PublicKey.(*ecdsa.PublicKey)
	switch {
	case !ok:
		return "", errors.New("the request for an intermediate is for a key of another kind than ours")
	case by.cert.MaxPathLenZero:
		return "", fmt.Errorf("%s issues leaves only", id)
	case !now.Before(by.cert.NotAfter):
		return "", fmt.Errorf("%s expired on %s", id, by.cert.NotAfter.Format(time.DateOnly))
	}
	return signPublic(&x509.Certificate{
		Subject:               csr.Subject,
		NotBefore:             later(now.Add(-backdated), by.cert.NotBefore),
		NotAfter:              earlier(now.AddDate(intermediateYears, 0, 0), by.cert.NotAfter),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}, by.cert, key, by.key)
}
