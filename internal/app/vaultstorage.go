// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"
	"slices"

	"clusterup.dev/clusterup/internal/backup"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/vault"
)

// vaultFolder is where Vault keeps its data in Consul; addons/vault/files says so too.
const vaultFolder = "vault/"

// checkVaultStorage refuses a Vault on a Consul that the environment does not have.
func (a *App) checkVaultStorage(c chosen, settings vault.Settings) error {
	if settings.OnRaft() || slices.ContainsFunc(a.addons, func(o chosen) bool { return o.Name == consulOwner }) {
		return nil
	}
	at := []any{"spec", "addons", a.addonIndex(c.Name), "name"}
	return hint.With(a.env.Errorf(at, "%s stores in Consul, which this environment does not list", c.Name),
		"add {name: consul} to spec.addons, or set the value storage: {type: raft}")
}

// vaultStorage looks past Vault into what it stores in; nil where that is not Consul.
func (s *Session) vaultStorage(settings vault.Settings) vault.Storage {
	if s.consul == nil || settings.OnRaft() {
		return nil
	}
	return inConsul{s}
}

type inConsul struct{ session *Session }

func (c inConsul) Keys(ctx context.Context) ([]string, error) {
	return c.session.consul.Keys(ctx, vaultFolder)
}

// Erase keeps a snapshot of what is there before it deletes anything.
func (c inConsul) Erase(ctx context.Context, keys []string) error {
	kept, err := c.session.takeSnapshot(ctx, backup.Safety)
	if err != nil {
		return fmt.Errorf("keeping what is there first: %w", err)
	}
	converge.Progress(ctx, "kept what is there as the snapshot %s", kept.Name)
	return c.session.consul.Erase(ctx, vaultFolder, keys, "core/lock") // which a replica makes that is unsealed meanwhile
}
