// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"strings"

	"clusterup.dev/clusterup/internal/secret"
)

// Visitor is a pod that has certificates issued by an engine of type pki. It logs
// in through Kubernetes auth each time, and ends that login with the call.
type Visitor struct {
	Dial  func(ctx context.Context) (net.Conn, error) // to any replica that is unsealed
	CA    []byte                                      // Vault's, in PEM
	Token func() (secret.Value, error)                // of the pod's ServiceAccount, for Vault
	Login string                                      // the role of Kubernetes auth
	Mount string                                      // the engine: "pki"
	Role  string                                      // and its role
}

// Issuer is the intermediate that certificates come from now. Anybody may ask.
func (v Visitor) Issuer(ctx context.Context) (*x509.Certificate, error) {
	c, err := newClient(v.CA, v.Dial)
	if err != nil {
		return nil, err
	}
	defer c.close()
	var out struct {
		Data struct {
			Certificate string `json:"certificate"`
		} `json:"data"`
	}
	if err := c.do(ctx, request{method: http.MethodGet, path: v.Mount + "/issuer/default/json"}, &out); err != nil {
		return nil, fmt.Errorf("asking Vault for the intermediate of %s/: %w", v.Mount, err)
	}
	return certificate(out.Data.Certificate)
}

// Sign has a certificate issued for the key and the names of a request (PKCS #10 in
// PEM), and gives it with the intermediates above it, in PEM, as a server shows them.
func (v Visitor) Sign(ctx context.Context, request string) (chain string, err error) {
	c, err := newClient(v.CA, v.Dial)
	if err != nil {
		return "", err
	}
	defer c.close()
	s, err := v.login(ctx, c)
	if err != nil {
		return "", err
	}
	defer func() { _ = s.end(ctx) }() // it ends by itself, soon
	return v.sign(ctx, s, request)
}

func (v Visitor) login(ctx context.Context, c *client) (session, error) {
	jwt, err := v.Token()
	if err != nil {
		return session{}, err
	}
	defer jwt.Wipe()
	var out struct {
		Auth struct {
			Token rawText `json:"client_token"`
		} `json:"auth"`
	}
	body := map[string]string{"role": v.Login, "jwt": jwt.RevealString()}
	if err := c.do(ctx, request{method: http.MethodPost, path: "auth/kubernetes/login", body: body}, &out); err != nil {
		return session{}, fmt.Errorf("logging in to Vault with the role %s: %w", v.Login, err)
	}
	return session{c, secret.NewValue(out.Auth.Token)}, nil
}

func (v Visitor) sign(ctx context.Context, s session, csr string) (string, error) {
	var out struct {
		Data struct {
			Certificate string   `json:"certificate"`
			Chain       []string `json:"ca_chain"`
		} `json:"data"`
	}
	path := v.Mount + "/sign/" + v.Role
	if err := s.do(ctx, request{method: http.MethodPost, path: path, token: s.token, body: map[string]string{"csr": csr}}, &out); err != nil {
		return "", fmt.Errorf("having a certificate issued: %w", err)
	}
	chain := strings.TrimSpace(out.Data.Certificate) + "\n"
	for _, text := range out.Data.Chain {
		above, err := certificate(text)
		if err != nil {
			return "", fmt.Errorf("the chain of a certificate that Vault issued: %w", err)
		}
		if above.CheckSignatureFrom(above) != nil { // who trusts the root has it
			chain += strings.TrimSpace(text) + "\n"
		}
	}
	return chain, nil
}
