// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"strings"
	"testing"
	"time"
)

func request(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "cluster CA"}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

// An intermediate issues leaves only, ends with its CA at the latest, and comes only
// from a CA that was made for it and for a request that proves that it has the key.
func TestSignIntermediate(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	spec := Spec{Addon: "clusterup", Name: "ca", Kind: CA, CommonName: "test CA", Intermediates: true}
	made := func(s Spec) *Set {
		t.Helper()
		tok, err := generate(s, nil, now)
		if err != nil {
			t.Fatal(err)
		}
		return &Set{tokens: map[string]token{s.ID(): tok}}
	}
	set := made(spec)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := set.SignIntermediate("clusterup/ca", request(t, key), now)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeCertificate(text)
	if err != nil {
		t.Fatal(err)
	}
	root, err := decodeCertificate(set.tokens["clusterup/ca"].public)
	if err != nil {
		t.Fatal(err)
	}
	for what, ok := range map[string]bool{
		"the root may have an intermediate": root.MaxPathLen == 1,
		"it is of the root":                 got.CheckSignatureFrom(root) == nil,
		"it issues leaves only":             got.IsCA && got.MaxPathLenZero,
		"it is for the key":                 key.PublicKey.Equal(got.PublicKey),
		"it has the name":                   got.Subject.CommonName == "cluster CA",
		"it ends after five years":          got.NotAfter.Equal(now.AddDate(5, 0, 0)),
	} {
		if !ok {
			t.Error(what + ": no")
		}
	}
	late, err := set.SignIntermediate("clusterup/ca", request(t, key), now.AddDate(8, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if got, err = decodeCertificate(late); err != nil || !got.NotAfter.Equal(root.NotAfter) {
		t.Errorf("it ends on %s, %v", got.NotAfter, err)
	}

	spec.Intermediates = false
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	forged := request(t, key)
	forged[len(forged)/2] ^= 1
	for want, c := range map[string]struct {
		set *Set
		id  string
		csr []byte
		at  time.Time
	}{
		"there is no ca x/y":                     {set, "x/y", request(t, key), now},
		"clusterup/ca issues leaves only":        {made(spec), "clusterup/ca", request(t, key), now},
		"the request for an intermediate is not": {set, "clusterup/ca", []byte("x"), now},
		"the request for an intermediate":        {set, "clusterup/ca", forged, now},
		"of another kind than ours":              {set, "clusterup/ca", request(t, other), now},
		"clusterup/ca expired on 2036-03-04":     {set, "clusterup/ca", request(t, key), now.AddDate(11, 0, 0)},
	} {
		if _, err := c.set.SignIntermediate(c.id, c.csr, c.at); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
