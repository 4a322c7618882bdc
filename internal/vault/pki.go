// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"clusterup.dev/clusterup/internal/converge"
)

// Authority is the environment's own CA, of which the intermediates in Vault are.
type Authority interface {
	// Certificate is the CA's, in PEM.
	Certificate(ctx context.Context) (string, error)
	// SignIntermediate issues a CA that issues leaves only, for the key and the
	// subject of a request, both in PEM.
	SignIntermediate(ctx context.Context, request string) (string, error)
}

// pkiTTL is how long a leaf lives unless its role says otherwise.
const pkiTTL = 30 * 24 * 3600

// pki are the intermediate of an engine and its roles.
func (e Engine) pki(mount item, by Authority) []item {
	if e.Type != "pki" {
		return nil
	}
	issuer, base := mount.key+"issuer/default", mount.key+"roles/"
	items := []item{{
		subject: "intermediate of " + mount.key, phase: configuring, path: issuer, mount: mount.key, of: mount.list,
		special: &intermediate{mount: mount.key, commonName: e.CommonName, by: by},
		grants: []grant{
			{issuer, "read"},
			{mount.key + "intermediate/generate/internal", "update"},
			{mount.key + "intermediate/set-signed", "update"},
			{mount.key + "config/issuers", "read, update"},
		},
	}}
	for _, r := range e.Roles {
		note := ""
		if r.by != "" {
			note = askedBy + r.by
		}
		items = append(items, item{
			note:    note,
			subject: fmt.Sprintf("role %s of %s", r.Name, mount.key), phase: finishing, path: base + r.Name, mount: mount.key, of: mount.list,
			want: map[string]any{
				"allowed_domains": list(r.Domains), "allow_subdomains": true, "allow_bare_domains": true,
				"allow_any_name": false, "allow_glob_domains": false, "enforce_hostnames": true,
				"allow_ip_sans": false, "allow_localhost": false, "client_flag": false,
				"max_ttl": float64(cmp.Or(r.MaxTTL, pkiTTL)), "key_type": "ec", "key_bits": float64(256), "no_store": true,
			},
			grants: []grant{{base + "*", "create, read, update"}},
		})
	}
	return items
}

// renewBefore is when an intermediate is issued anew: leaves are not valid beyond it.
const renewBefore = 180 * 24 * time.Hour

// intermediate is a CA of the cluster inside Vault, issued from the environment's.
type intermediate struct {
	mount      string // "pki/"
	commonName string
	by         Authority
}

// read gets what leaves are issued from; asking for it where there is none is an
// error to Vault.
func (m *intermediate) read(ctx context.Context, s session) (live map[string]any, there bool, err error) {
	config, _, err := s.get(ctx, m.mount+"config/issuers")
	if name, _ := config["default"].(string); err != nil || name == "" {
		return nil, false, err
	}
	return s.get(ctx, m.mount+"issuer/default")
}

// compare says what has to be done to it. Where the environment's CA cannot issue
// one, the notice says so.
func (m *intermediate) compare(ctx context.Context, it item, live map[string]any) (c *converge.Change, notice string, err error) {
	text, err := m.by.Certificate(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("the environment's CA: %w", err)
	}
	ca, err := certificate(text)
	if err != nil {
		return nil, "", fmt.Errorf("the environment's CA: %w", err)
	}
	if ca.MaxPathLenZero {
		return nil, it.subject + " is not made: the environment's CA issues leaves only, as all did once; " +
			"renew clusterup/ca as docs/addons.md says, and what it issued, to have one", nil
	}
	change := converge.Change{Subject: it.subject, Action: converge.Create, Note: "its key is made in Vault and stays there; " + ca.Subject.CommonName + " signs it"}
	text, _ = live["certificate"].(string)
	if text == "" {
		return &change, "", nil
	}
	is, err := certificate(text)
	if err != nil {
		return nil, "", err
	}
	change.Action, change.Fields = converge.Update, m.differences(is, ca)
	if len(change.Fields) == 0 {
		return nil, "", nil
	}
	return &change, "", nil
}

func (m *intermediate) differences(is, ca *x509.Certificate) (fields []converge.Field) {
	add := func(path, old, wanted string) {
		fields = append(fields, converge.Field{Path: path, Old: old, New: wanted})
	}
	if is.CheckSignatureFrom(ca) != nil {
		add("issued by", is.Issuer.CommonName+" "+short(is.AuthorityKeyId), ca.Subject.CommonName+" "+short(ca.SubjectKeyId))
	}
	if is.Subject.CommonName != m.commonName {
		add("common name", is.Subject.CommonName, m.commonName)
	}
	if time.Until(is.NotAfter) < renewBefore && is.NotAfter.Before(ca.NotAfter) {
		add("ends", is.NotAfter.Format(time.DateOnly), "later")
	}
	return fields
}

// issue makes a new key in Vault, has the environment's CA sign for it, and makes
// the result what leaves are issued from. Earlier ones stay: leaves hang on them.
func (m *intermediate) issue(ctx context.Context, s session) error {
	call := func(path string, body map[string]any, out any) error {
		return s.do(ctx, request{method: http.MethodPost, path: m.mount + path, token: s.token, body: body}, out)
	}
	var made struct {
		Data struct {
			CSR string `json:"csr"`
		} `json:"data"`
	}
	err := call("intermediate/generate/internal", map[string]any{"common_name": m.commonName, "key_type": "ec", "key_bits": 256}, &made)
	if err != nil {
		return err
	}
	signed, err := m.by.SignIntermediate(ctx, made.Data.CSR)
	if err != nil {
		return err
	}
	ca, err := m.by.Certificate(ctx)
	if err != nil {
		return err
	}
	var imported struct {
		Data struct {
			Issuers []string          `json:"imported_issuers"`
			Mapping map[string]string `json:"mapping"` // issuer → key; the CA has none here
		} `json:"data"`
	}
	if err := call("intermediate/set-signed", map[string]any{"certificate": strings.TrimSpace(signed) + "\n" + ca}, &imported); err != nil {
		return err
	}
	for _, id := range imported.Data.Issuers {
		if imported.Data.Mapping[id] != "" {
			return call("config/issuers", map[string]any{"default": id}, nil)
		}
	}
	return errors.New("vault took the intermediate and names no issuer with a key")
}

func certificate(text string) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("there is no certificate in it")
	}
	return x509.ParseCertificate(block.Bytes)
}

// short is enough of a key's name to tell two apart.
func short(id []byte) string { return fmt.Sprintf("%x", id[:min(len(id), 4)]) }
