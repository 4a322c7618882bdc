// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
)

// backupCall is where Vault keeps what it sealed.
func (c *client) backupCall() string {
	if c.auto {
		return "sys/rekey/recovery-key-backup"
	}
	return "sys/rekey/backup"
}

// backup is Vault's own copy of what it sealed in a rekey. The zero backup is none.
type backup struct {
	Nonce string              `json:"nonce"` // what Vault called the rekey
	Keys  map[string][][]byte `json:"keys_base64"`
}

// backup asks Vault for its copy.
func (v *Vault) backup(ctx context.Context, c *client) (b backup, err error) {
	err = v.loggedIn(ctx, c, func(s session) error {
		b, err = s.backup(ctx)
		return err
	})
	return b, err
}

// dropBackup deletes Vault's copy, if it is that of this rekey, and proves that it is gone.
func (v *Vault) dropBackup(ctx context.Context, c *client, nonce string) error {
	return v.loggedIn(ctx, c, func(s session) error {
		b, err := s.backup(ctx)
		if err != nil || b.Nonce != nonce {
			return err
		}
		if err := s.do(ctx, request{method: http.MethodDelete, path: s.backupCall(), token: s.token}, nil); err != nil {
			return fmt.Errorf("deleting Vault's copy of the sealed key shares: %w", err)
		}
		if b, err = s.backup(ctx); err == nil && b.Nonce == nonce {
			err = errors.New("vault still has its copy of the sealed key shares after it was deleted")
		}
		return err
	})
}

func (s session) backup(ctx context.Context) (backup, error) {
	var out struct {
		Data backup `json:"data"`
	}
	err := s.do(ctx, request{method: http.MethodGet, path: s.backupCall(), token: s.token}, &out)
	switch {
	case isStatus(err, http.StatusBadRequest) && strings.Contains(err.Error(), "no backed-up keys found"):
		return backup{}, nil
	case isStatus(err, http.StatusForbidden):
		return backup{}, hint.With(fmt.Errorf("looking at Vault's copy of the sealed key shares: %w", err), "`clusterup reconcile ENV` gives clusterup's policy what it needs")
	case err != nil:
		return backup{}, fmt.Errorf("looking at Vault's copy of the sealed key shares: %w", err)
	}
	return out.Data, nil
}

// loggedIn does something in a session of clusterup's own.
func (v *Vault) loggedIn(ctx context.Context, c *client, do func(session) error) (err error) {
	s, err := v.login(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.end(ctx)) }()
	return do(s)
}
