// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
)

func encodeKey(key *ecdsa.PrivateKey) (Value, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Value{}, err
	}
	defer clear(der)
	return NewValue(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}

func decodeKey(v Value) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(v.Reveal())
	if block == nil {
		return nil, errors.New("its key is not PEM")
	}
	defer clear(block.Bytes)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("its key cannot be read")
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("its key is not an EC key")
	}
	return ec, nil
}

// decodeCertificate reads the first certificate.
func decodeCertificate(text string) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("its certificate is not PEM")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, errors.New("its certificate cannot be read")
	}
	return cert, nil
}

// decodeCertificates reads all certificates of a bundle.
func decodeCertificates(text string) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errors.New("its certificate cannot be read")
		}
		all = append(all, cert)
	}
	if len(all) == 0 {
		return nil, errors.New("its certificate is not PEM")
	}
	return all, nil
}

// issuer is the place of the one that signed cert; -1 for none of them.
func issuer(cert *x509.Certificate, authorities []*x509.Certificate) int {
	return slices.IndexFunc(authorities, func(a *x509.Certificate) bool { return cert.CheckSignatureFrom(a) == nil })
}
