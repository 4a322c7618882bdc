// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"sync"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

// unsealAll gives the shares to every sealed replica, all at the same time.
func unsealAll(ctx context.Context, sealed []replica, shares []secret.Value, j custody.Journal) error {
	errs := make([]error, len(sealed))
	var group sync.WaitGroup
	for i, r := range sealed {
		group.Go(func() { errs[i] = r.peer.unseal(ctx, shares) })
	}
	group.Wait()
	for i, err := range errs {
		switch {
		case isStatus(err, http.StatusBadRequest):
			return converge.Permanent(hint.With(
				fmt.Errorf("the key shares of init %s do not open %s: %w", j.Nonce, sealed[i].pod.Name, err),
				"its storage is not the one that these shares were dealt for, or it was rekeyed by other means"))
		case err != nil:
			return fmt.Errorf("unsealing %s: %w", sealed[i].pod.Name, err)
		}
	}
	return nil
}

// unseal gives one replica the shares. What others gave before is dropped first:
// Vault cannot tell which of several shares is the wrong one.
func (c *client) unseal(ctx context.Context, shares []secret.Value) error {
	var status struct {
		Sealed   bool `json:"sealed"`
		Progress int  `json:"progress"`
	}
	if err := c.do(ctx, request{method: http.MethodGet, path: "sys/seal-status"}, &status); err != nil || !status.Sealed {
		return err
	}
	if status.Progress > 0 {
		if err := c.do(ctx, request{method: http.MethodPut, path: "sys/unseal", body: []byte(`{"reset":true}`)}, nil); err != nil {
			return err
		}
	}
	for _, share := range shares {
		if err := c.give(ctx, share, &status); err != nil || !status.Sealed {
			return err
		}
	}
	return nil
}

// unsealDeadline is long: the last share makes Vault read its keyring.
const unsealDeadline = time.Minute

func (c *client) give(ctx context.Context, share secret.Value, out any) error {
	raw := share.Reveal()
	body := make([]byte, 0, len(`{"key":""}`)+base64.StdEncoding.EncodedLen(len(raw)))
	body = append(body, `{"key":"`...)
	body = base64.StdEncoding.AppendEncode(body, raw)
	body = append(body, `"}`...)
	defer clear(body)
	return c.do(ctx, request{method: http.MethodPut, path: "sys/unseal", body: body, timeout: unsealDeadline}, out)
}
