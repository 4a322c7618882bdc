// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

// Emergency says how a root token is made and how long it may live.
type Emergency struct {
	CancelOther bool          // end somebody else's attempt to generate one
	TTL         time.Duration // after that the token ends by itself, whatever happens
}

// Root is a root token in use, and the way to Vault.
type Root struct {
	Token      secret.Value
	Address    string // "https://127.0.0.1:41234", which leads to the active replica
	CA         []byte // PEM, that the address is verified with
	ServerName string // the name that is verified
}

// revokePatience is how long a revocation that fails is tried again.
const revokePatience = time.Minute

// WithRoot makes a root token out of a threshold of key shares, hands it to use,
// and revokes it whatever use says and whether or not ctx has ended; that Vault
// refuses it afterwards is proven. The token that use gets is made by the
// generated one, which is revoked before that: only a token with a TTL is ever
// out of hand, so that a killed run leaves none that lives for ever.
func (v *Vault) WithRoot(ctx context.Context, h *custody.Hand, how Emergency, use func(context.Context, Root) error) (err error) {
	if err := h.Enough(); err != nil {
		return err
	}
	at, err := v.activeReplica(ctx)
	if err != nil {
		return err
	}
	address, closer, err := v.forward(at.pod.Name)
	if err != nil {
		return err
	}
	defer closer()
	ca, err := v.cfg.CA(ctx)
	if err != nil {
		return fmt.Errorf("the CA of Vault: %w", err)
	}
	defer converge.Uninterruptible(ctx)()
	s, accessor, err := at.peer.emergencyToken(ctx, h, how)
	if err != nil {
		return err
	}
	defer s.token.Wipe()
	if err := v.partook(ctx, h, "generate-root"); err != nil {
		converge.Progress(ctx, "%v", err) // the token is what it was about, and has to be revoked
	}
	used := context.Cause(ctx)
	if used == nil {
		used = use(ctx, Root{Token: s.token, Address: address, CA: ca, ServerName: ServerName})
	}
	if err := v.endEverywhere(ctx, s.token); err != nil {
		return errors.Join(used, hint.With(fmt.Errorf("the root token with the accessor %s may still be alive: %w", accessor, err),
			"it ends by itself in %s at the latest; sooner with `vault token revoke -accessor`, in another `clusterup vault generate-root`", how.TTL))
	}
	return used
}

// emergencyToken makes a root token that ends by itself, out of one that does not.
func (c *client) emergencyToken(ctx context.Context, h *custody.Hand, how Emergency) (s session, accessor string, err error) {
	token, err := c.generateRoot(ctx, h, how.CancelOther)
	if err != nil {
		return s, "", err
	}
	generated := session{c, token}
	defer token.Wipe()
	var out struct {
		Auth struct {
			Token    rawText `json:"client_token"`
			Accessor string  `json:"accessor"`
		} `json:"auth"`
	}
	seconds := int(how.TTL.Seconds())
	heedless := context.WithoutCancel(ctx) // the generated token must be revoked in any case
	err = c.do(heedless, request{method: http.MethodPost, path: "auth/token/create", token: token, body: map[string]any{
		"policies": []string{"root"}, "no_parent": true, "renewable": false, "ttl": seconds, "explicit_max_ttl": seconds,
		"display_name": "clusterup-generate-root",
	}}, &out)
	if err != nil {
		err = fmt.Errorf("making a root token that ends by itself: %w", err)
	}
	s, accessor = session{c, secret.NewValue(out.Auth.Token)}, out.Auth.Accessor
	if gone := generated.endForSure(ctx); gone != nil {
		err = errors.Join(err, hint.With(fmt.Errorf("the generated root token is not revoked: %w", gone),
			"list the tokens with `clusterup vault generate-root ENV -- vault list auth/token/accessors`, and revoke the one with the policy root and no expiry"))
	}
	if err != nil && !s.token.IsZero() {
		err = errors.Join(err, s.endForSure(ctx))
	}
	return s, accessor, err
}

// endEverywhere is endForSure at whichever replica is active by now: the command may
// have taken long.
func (v *Vault) endEverywhere(ctx context.Context, token secret.Value) error {
	return converge.Until(context.WithoutCancel(ctx), "the root token to be revoked", revokePatience, func(ctx context.Context) (bool, string, error) {
		replicas, err := v.look(ctx)
		if err != nil {
			return false, "", err
		}
		at, ok := active(replicas)
		if !ok {
			return false, "no replica is active", nil
		}
		return session{at.peer, token}.ended(ctx)
	})
}

// endForSure revokes the session's token and proves that Vault refuses it. It
// does not heed the end of ctx.
func (s session) endForSure(ctx context.Context) error {
	return converge.Until(context.WithoutCancel(ctx), "the root token to be revoked", revokePatience, func(ctx context.Context) (bool, string, error) {
		return s.ended(ctx)
	})
}

// ended revokes the session's token unless Vault refuses it already.
func (s session) ended(ctx context.Context) (gone bool, pending string, err error) {
	alive, err := s.alive(ctx)
	if err != nil || !alive {
		return err == nil, "", err
	}
	return false, "", s.revokeRoot(ctx)
}
