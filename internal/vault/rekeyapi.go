// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

// rekeyCall is one of Vault's calls to rekey what this Vault deals.
func (c *client) rekeyCall(name string) string {
	if c.auto {
		return "sys/rekey-recovery-key/" + name
	}
	return "sys/rekey/" + name
}

// rekeyAttempt is Vault's one rekey at a time. It lives in the active replica's
// memory, and changes nothing until the new shares are verified.
type rekeyAttempt struct {
	Started           bool     `json:"started"`
	Nonce             string   `json:"nonce"`
	Progress          int      `json:"progress"`
	Required          int      `json:"required"`
	Complete          bool     `json:"complete"`
	Keys              [][]byte `json:"keys_base64"`
	VerificationNonce string   `json:"verification_nonce"`
}

func (a *rekeyAttempt) answer() *custody.Answer {
	answer := &custody.Answer{}
	for _, k := range a.Keys {
		answer.Shares = append(answer.Shares, secret.NewValue(k))
	}
	return answer
}

// ErrOtherRekey says that somebody else is rekeying Vault.
var ErrOtherRekey = errors.New("vault is being rekeyed by somebody else")

// newShares has Vault make new shares, which open nothing before they are
// verified. After an error none is under way.
func (c *client) newShares(ctx context.Context, h *custody.Hand, shares, threshold int, cancelOther bool) (a rekeyAttempt, err error) {
	if err := c.freeRekey(ctx, cancelOther); err != nil {
		return a, err
	}
	err = c.do(ctx, request{method: http.MethodPut, path: c.rekeyCall("init"), body: map[string]any{
		"secret_shares": shares, "secret_threshold": threshold, "require_verification": true,
	}}, &a)
	if err != nil {
		return a, fmt.Errorf("beginning to rekey Vault: %w", err)
	}
	nonce := a.Nonce
	for _, share := range h.Shares() {
		if err = c.giveKey(ctx, c.rekeyCall("update"), nonce, share, &a); err != nil || a.Complete {
			break
		}
	}
	a.Nonce = nonce
	switch {
	case refused(err):
		err = fmt.Errorf("%w: %w", errNotTaken, err)
	case err == nil && !a.Complete:
		err = fmt.Errorf("%w: it asks for %d, and these are %d", errNotTaken, a.Required, len(h.Shares()))
	case err == nil && (len(a.Keys) != shares || a.VerificationNonce == ""):
		err = fmt.Errorf("vault gave %d of %d new key shares, or does not ask for their verification", len(a.Keys), shares)
	}
	if err != nil {
		answer := a.answer()
		answer.Wipe()
		return a, errors.Join(fmt.Errorf("rekeying Vault: %w", err), c.cancelRekey(ctx, nonce))
	}
	return a, nil
}

// freeRekey sees that no rekey is under way. One that is gets ended only when
// cancelOther is set.
func (c *client) freeRekey(ctx context.Context, cancelOther bool) error {
	var a rekeyAttempt
	if err := c.do(ctx, request{method: http.MethodGet, path: c.rekeyCall("init")}, &a); err != nil {
		return fmt.Errorf("asking whether Vault is being rekeyed: %w", err)
	}
	if a.Started && !cancelOther {
		return hint.With(fmt.Errorf("%w: the attempt %s was given %d of %d key shares", ErrOtherRekey, a.Nonce, a.Progress, a.Required),
			"let them end it; if nobody is at it, because a run was killed, give --cancel-other")
	}
	if !a.Started {
		return nil
	}
	return c.cancelRekey(ctx, a.Nonce)
}

// refused recognises Vault's answer to wrong shares, which is 400, or 500 when the
// key that they make does not open Vault's stored root key.
func refused(err error) bool {
	return isStatus(err, http.StatusBadRequest) ||
		isStatus(err, http.StatusInternalServerError) && strings.Contains(err.Error(), "failed to read root key")
}

// takes has Vault check shares, by a rekey that is ended before it changes anything.
func (c *client) takes(ctx context.Context, h *custody.Hand, cancelOther bool) (bool, error) {
	a, err := c.newShares(ctx, h, 1, 1, cancelOther)
	if errors.Is(err, errNotTaken) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	answer := a.answer()
	answer.Wipe()
	return true, c.cancelRekey(ctx, a.Nonce)
}

// cancelRekey ends the rekey that is under way, if one is, even when ctx is at its end.
func (c *client) cancelRekey(ctx context.Context, nonce string) error {
	err := c.do(context.WithoutCancel(ctx), request{method: http.MethodDelete, path: c.rekeyCall("init"), body: map[string]string{"nonce": nonce}}, nil)
	if err != nil {
		return fmt.Errorf("ending the rekey: %w", err)
	}
	return nil
}

// giveKey gives one share to an attempt of Vault's that goes by a nonce. The body
// is bytes that are wiped.
func (c *client) giveKey(ctx context.Context, path, nonce string, share secret.Value, out any) error {
	raw := share.Reveal()
	body := make([]byte, 0, len(`{"nonce":"","key":""}`)+len(nonce)+base64.StdEncoding.EncodedLen(len(raw)))
	body = append(body, `{"nonce":"`...)
	body = append(body, nonce...)
	body = append(body, `","key":"`...)
	body = base64.StdEncoding.AppendEncode(body, raw)
	body = append(body, `"}`...)
	defer clear(body)
	return c.do(ctx, request{method: http.MethodPut, path: path, body: body, timeout: unsealDeadline}, out)
}
