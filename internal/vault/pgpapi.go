// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/custody"
)

// beginPGP begins a rekey to the holders' PGP keys and returns what Vault calls it.
func (v *Vault) beginPGP(ctx context.Context, c *client, cancelOther bool) (nonce string, err error) {
	if err := c.freeRekey(ctx, cancelOther); err != nil {
		return "", err
	}
	var keys, fingerprints []string
	for _, h := range v.cfg.Holders {
		key, err := h.PGP.Base64()
		if err != nil {
			return "", err
		}
		for range h.Shares {
			keys, fingerprints = append(keys, key), append(fingerprints, h.PGP.Fingerprint())
		}
	}
	var a sealedAttempt
	err = c.do(ctx, request{method: http.MethodPut, path: c.rekeyCall("init"), body: map[string]any{
		"secret_shares": v.shares(), "secret_threshold": v.cfg.Settings.Threshold, "pgp_keys": keys, "backup": true,
	}}, &a)
	switch {
	case err != nil:
		return "", fmt.Errorf("beginning to rekey Vault: %w", err)
	case !slices.Equal(a.Fingerprints, fingerprints) || !a.Backup:
		err = fmt.Errorf("vault would not seal to the PGP keys of %s and keep a copy", v.holderNames())
		return "", errors.Join(err, c.cancelRekey(ctx, a.Nonce))
	}
	return a.Nonce, nil
}

// sealedAttempt is a rekey to PGP keys: its new shares are sealed.
type sealedAttempt struct {
	rekeyAttempt
	Fingerprints []string `json:"pgp_fingerprints"`
	Backup       bool     `json:"backup"`
}

// completePGP gives a rekey the shares that complete it. Of an error it is not known
// what it left behind.
func (c *client) completePGP(ctx context.Context, nonce string, h *custody.Hand) (map[string][][]byte, error) {
	var a sealedAttempt
	for _, share := range h.Shares() {
		a = sealedAttempt{}
		if err := c.giveKey(ctx, c.rekeyCall("update"), nonce, share, &a); err != nil {
			return nil, fmt.Errorf("rekeying Vault: %w", err)
		}
		if a.Complete {
			break
		}
	}
	if !a.Complete || len(a.Keys) != len(a.Fingerprints) {
		return nil, fmt.Errorf("rekeying Vault: %w: it asks for %d, and these are %d", errNotTaken, a.Required, len(h.Shares()))
	}
	sealed := map[string][][]byte{}
	for i, fingerprint := range a.Fingerprints {
		sealed[strings.ToLower(fingerprint)] = append(sealed[strings.ToLower(fingerprint)], a.Keys[i])
	}
	return sealed, nil
}
