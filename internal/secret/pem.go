// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
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
