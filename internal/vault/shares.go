// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

// unsealAll gives the shares to every sealed replica, all at the same time. It reports
// whether they opened one: only that says that they are the right ones.
func unsealAll(ctx context.Context, sealed []replica, shares []secret.Value, j custody.Journal) (opened bool, err error) {
	errs, open := make([]error, len(sealed)), make([]bool, len(sealed))
	var group sync.WaitGroup
	for i, r := range sealed {
		group.Go(func() { open[i], errs[i] = r.peer.unseal(ctx, shares) })
	}
	group.Wait()
	for i, err := range errs {
		switch {
		case isStatus(err, http.StatusBadRequest), errors.Is(err, errNotTaken):
			return false, converge.Permanent(hint.With(
				fmt.Errorf("the key shares of init %s do not open %s: %w", j.Nonce, sealed[i].pod.Name, err),
				"its storage is not the one that these shares were dealt for, or it was rekeyed by other means; of one that was brought back from a snapshot of before a rekey, `clusterup vault unseal ENV --earlier-shares` takes the shares"))
		case err != nil:
			return false, fmt.Errorf("unsealing %s: %w", sealed[i].pod.Name, err)
		}
		opened = opened || open[i]
	}
	return opened, nil
}

// unseal gives one replica the shares, and reports whether they opened it: it may be
// open already, or have to join others first, and opens itself then. What others gave before is dropped:
// Vault cannot tell which of several shares is the wrong one.
func (c *client) unseal(ctx context.Context, shares []secret.Value) (opened bool, err error) {
	status, err := c.sealStatus(ctx)
	if err != nil || !status.Sealed || c.joins() {
		return false, err
	}
	if status.Progress > 0 {
		if err := c.forget(ctx); err != nil {
			return false, err
		}
	}
	for _, share := range shares {
		err := c.give(ctx, share, &status)
		if status.lacksData(err) {
			c.joining.Store(time.Now().Unix())
			return false, nil
		}
		if err != nil || !status.Sealed {
			return err == nil, err
		}
	}
	if err := status.stillSealed(len(shares)); err != nil {
		return false, errors.Join(err, c.forget(ctx)) // no holder is to go on from there
	}
	c.joining.Store(time.Now().Unix())
	c.joined.Store(true)
	return false, nil
}

// forget has a replica drop the shares that it was given.
func (c *client) forget(ctx context.Context) error {
	return c.do(ctx, request{method: http.MethodPut, path: "sys/unseal", body: []byte(`{"reset":true}`)}, nil)
}

// errNotTaken says that Vault does not take key shares.
var errNotTaken = errors.New("vault does not take these key shares")

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
