// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/converge"
)

// isStuck recognises what Vault answers after a client died while it enabled an
// audit device: the device is registered in memory and was never stored, so that
// it can be neither enabled nor disabled until another replica takes over.
func isStuck(err error) bool {
	var e *apiError
	return errors.As(err, &e) && e.Status == http.StatusBadRequest && strings.HasPrefix(e.Path, "sys/audit/") &&
		slices.ContainsFunc(e.Messages, func(m string) bool { return strings.Contains(m, "already registered") })
}

// stepDown makes the active replica hand over, and waits for another one, or for
// the same one to be active again.
func (s configureStep) stepDown(ctx context.Context) (err error) {
	w, err := s.open(ctx)
	if err != nil {
		return err
	}
	if w == nil {
		return fmt.Errorf("no replica of Vault is active: %w", converge.ErrStale)
	}
	defer func() { err = errors.Join(err, w.close(ctx)) }()
	converge.Progress(ctx, "Vault holds half of an audit device that a killed run was enabling: another replica takes over")
	if err := w.session.do(ctx, request{method: http.MethodPut, path: "sys/step-down", token: w.session.token}, nil); err != nil {
		return fmt.Errorf("stepping down: %w", err)
	}
	stepped := false
	return converge.Until(ctx, "another replica of Vault to be active", s.v.cfg.Timeout, func(ctx context.Context) (bool, string, error) {
		replicas, err := s.v.look(ctx)
		if err != nil {
			return false, "", err
		}
		now, ok := active(replicas)
		stepped = stepped || !ok || now.pod.UID != w.pod.UID
		return ok && stepped, "", nil
	})
}
