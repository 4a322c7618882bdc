// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
)

// checkShapes proves that every token is what its kind promises.
func checkShapes(t testing.TB, set *Set, specs []Spec) {
	t.Helper()
	for _, s := range specs {
		v, ok := set.Secret(s.ID())
		public, _ := set.Public(s.ID())
		if !ok {
			t.Errorf("%s is not in the set", s.ID())
			continue
		}
		if (s.Kind == CA || s.Kind == Cert || s.Kind == ACLToken) != (public != "") {
			t.Errorf("%s has the public half %q", s.ID(), public)
		}
		checkSecret(t, s, v)
		if s.Kind == CA || s.Kind == Cert {
			if _, err := tls.X509KeyPair([]byte(public), v.Reveal()); err != nil {
				t.Errorf("%s: key and certificate: %v", s.ID(), err)
			}
		}
		if _, err := uuid.Parse(public); s.Kind == ACLToken && (err != nil || public == v.RevealString()) {
			t.Errorf("%s: the accessor is %q", s.ID(), public)
		}
		if s.Kind == Cert {
			verify(t, set, s)
		}
	}
}

func checkSecret(t testing.TB, s Spec, v Value) {
	t.Helper()
	switch s.Kind {
	case GossipKey, HMACKey:
		if raw, err := base64.StdEncoding.DecodeString(v.RevealString()); err != nil || len(raw) != 32 {
			t.Errorf("%s: %d bytes, %v", s.ID(), len(raw), err)
		}
	case ACLToken:
		if id, err := uuid.Parse(v.RevealString()); err != nil || id.Version() != 4 || id.Variant() != uuid.RFC4122 {
			t.Errorf("%s is no random UUID: %v", s.ID(), err)
		}
	case Password:
		if len(v.Reveal()) != s.length() || !regexp.MustCompile(`^[A-Za-z0-9]+$`).Match(v.Reveal()) {
			t.Errorf("%s is no password of %d", s.ID(), s.length())
		}
	case CA, Cert:
		if _, err := decodeKey(v); err != nil || !bytes.HasPrefix(v.Reveal(), []byte("-----BEGIN PRIVATE KEY-----\n")) {
			t.Errorf("%s: %v", s.ID(), err)
		}
	}
}

// verify checks a leaf the way TLS does, for each name and each use.
func verify(t testing.TB, set *Set, s Spec) {
	t.Helper()
	public, _ := set.Public(s.ID())
	authority, _ := set.Public(s.CA)
	leaf, err := decodeCertificate(public)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(authority)) {
		t.Fatalf("%s is no certificate", s.CA)
	}
	for use, allowed := range map[x509.ExtKeyUsage]bool{x509.ExtKeyUsageServerAuth: s.Server, x509.ExtKeyUsageClientAuth: s.Client} {
		_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{use}})
		if (err == nil) != allowed {
			t.Errorf("%s for use %v: %v", s.ID(), use, err)
		}
	}
	for _, name := range slices.Concat(s.DNS, s.IPs) {
		if err := leaf.VerifyHostname(name); err != nil && name[0] != '*' {
			t.Errorf("%s: %v", s.ID(), err)
		}
	}
	if leaf.VerifyHostname("elsewhere") == nil {
		t.Errorf("%s is valid for any name", s.ID())
	}
}

func TestCertificatesAreProper(t *testing.T) {
	now := time.Now()
	caSpec := Spec{Addon: "a", Name: "ca", Kind: CA, CommonName: "An authority"}
	ca, err := generate(caSpec, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := newAuthority(ca)
	if err != nil {
		t.Fatal(err)
	}
	leafToken, err := generate(Spec{Addon: "a", Name: "b", Kind: Cert, CA: "a/ca", DNS: []string{"b"}, Server: true}, issuer, now)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := decodeCertificate(leafToken.public)
	if err != nil {
		t.Fatal(err)
	}
	root := issuer.cert
	for what, ok := range map[string]bool{
		"the CA is one":                           root.IsCA && root.BasicConstraintsValid && root.MaxPathLenZero,
		"the CA signs and does nothing else":      root.KeyUsage == x509.KeyUsageCertSign|x509.KeyUsageCRLSign && len(root.ExtKeyUsage) == 0,
		"the CA has the name of its spec":         root.Subject.CommonName == "An authority",
		"the CA lasts ten years":                  root.NotAfter.Equal(now.AddDate(10, 0, 0).UTC().Truncate(time.Second)),
		"the CA is valid where clocks are behind": root.NotBefore.Before(now.Add(-59 * time.Minute)),
		"the leaf is none":                        !leaf.IsCA && leaf.BasicConstraintsValid,
		"the leaf signs handshakes":               leaf.KeyUsage == x509.KeyUsageDigitalSignature,
		"the leaf has the name of its token":      leaf.Subject.CommonName == "a/b",
		"the leaf lasts two years":                leaf.NotAfter.Equal(now.AddDate(2, 0, 0).UTC().Truncate(time.Second)),
		"the leaf names the CA's key":             len(leaf.AuthorityKeyId) == 20 && bytes.Equal(leaf.AuthorityKeyId, root.SubjectKeyId),
		"the leaf has a key id of its own":        len(leaf.SubjectKeyId) == 20 && !bytes.Equal(leaf.SubjectKeyId, root.SubjectKeyId),
		"serials are random":                      leaf.SerialNumber.BitLen() > 64 && root.SerialNumber.BitLen() > 64 && leaf.SerialNumber.Cmp(root.SerialNumber) != 0,
		"signatures are ECDSA over SHA-256":       leaf.SignatureAlgorithm == x509.ECDSAWithSHA256 && root.SignatureAlgorithm == x509.ECDSAWithSHA256,
		"the curve is P-256":                      issuer.key.Curve.Params().Name == "P-256",
	} {
		if !ok {
			t.Errorf("not so: %s", what)
		}
	}
}

func TestALeafIsNotValidBeyondItsCA(t *testing.T) {
	made := time.Now().AddDate(-9, 0, 0)
	ca, err := generate(Spec{Addon: "a", Name: "ca", Kind: CA}, nil, made)
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := newAuthority(ca)
	if err != nil {
		t.Fatal(err)
	}
	spec := Spec{Addon: "a", Name: "b", Kind: Cert, CA: "a/ca", Client: true}
	leafToken, err := generate(spec, issuer, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := decodeCertificate(leafToken.public)
	if err != nil || !leaf.NotAfter.Equal(issuer.cert.NotAfter) {
		t.Errorf("the leaf ends %s and its CA %s, %v", leaf.NotAfter, issuer.cert.NotAfter, err)
	}
	if _, err := generate(spec, issuer, made.AddDate(11, 0, 0)); err == nil || err.Error() != "making a/b: a/ca expired on "+issuer.cert.NotAfter.Format(time.DateOnly) {
		t.Errorf("an expired CA: %v", err)
	}
	young, err := generate(spec, issuer, made) // a clock that went back
	if err != nil {
		t.Fatal(err)
	}
	if leaf, err = decodeCertificate(young.public); err != nil || leaf.NotBefore.Before(issuer.cert.NotBefore) {
		t.Errorf("the leaf begins %s, before its CA, %v", leaf.NotBefore, err)
	}
}
