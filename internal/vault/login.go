// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"clusterup.dev/clusterup/internal/secret"
)

// login opens a session of clusterup's own: a short token of its ServiceAccount,
// exchanged through Kubernetes auth.
func (v *Vault) login(ctx context.Context, c *client) (session, error) {
	jwt, err := v.cfg.Tokens.Token(ctx, ownRole, []string{audience}, tokenTTL*time.Second)
	if err != nil {
		return session{}, fmt.Errorf("asking Kubernetes for a token of clusterup's service account: %w", err)
	}
	defer jwt.Wipe()
	var out struct {
		Auth struct {
			Token rawText `json:"client_token"`
		} `json:"auth"`
	}
	err = c.do(ctx, request{
		method: http.MethodPost, path: "auth/kubernetes/login",
		body: map[string]string{"role": ownRole, "jwt": jwt.RevealString()},
	}, &out)
	if err != nil {
		return session{}, loginError(err)
	}
	return session{c, secret.NewValue(out.Auth.Token)}, nil
}

// end revokes the session's token, even when ctx is at its end.
func (s session) end(ctx context.Context) error {
	defer s.token.Wipe()
	err := s.do(context.WithoutCancel(ctx), request{method: http.MethodPost, path: "auth/token/revoke-self", token: s.token}, nil)
	if err != nil {
		return fmt.Errorf("revoking clusterup's own token: %w", err)
	}
	return nil
}

// alive reports whether Vault still takes the session's token.
func (s session) alive(ctx context.Context) (bool, error) {
	err := s.do(ctx, request{method: http.MethodGet, path: "auth/token/lookup-self", token: s.token}, nil)
	if isStatus(err, http.StatusForbidden) {
		return false, nil
	}
	return err == nil, err
}

// revokeRoot revokes the root token and proves that Vault refuses it.
func (s session) revokeRoot(ctx context.Context) error {
	if err := s.do(ctx, request{method: http.MethodPost, path: "auth/token/revoke-self", token: s.token}, nil); err != nil {
		return fmt.Errorf("revoking the root token: %w", err)
	}
	alive, err := s.alive(ctx)
	if err != nil {
		return fmt.Errorf("proving that the root token is revoked: %w", err)
	}
	if alive {
		return fmt.Errorf("vault still takes the root token after its revocation")
	}
	return nil
}
