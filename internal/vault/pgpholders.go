// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
)

// partook records that the shares of holders with PGP keys were among those with which Vault
// carried something out.
func (v *Vault) partook(ctx context.Context, h *custody.Hand, act string) error {
	names, err := h.Partook(context.WithoutCancel(ctx), act)
	for _, name := range names {
		converge.Progress(ctx, "the key share of %s took part: that is recorded", name)
	}
	if err != nil {
		return fmt.Errorf("it is done, and who took part is not recorded: %w", err)
	}
	return nil
}

// cutOffError says that Vault is sealed and takes the shares of a deal that was cut off,
// which only their holders open.
func cutOffError(set custody.Journal, cause error) error {
	return hint.With(fmt.Errorf("a deal of key shares to PGP keys was cut off, and Vault does not take those of before it (%w): %w", cause,
		&custody.NeedHolders{What: "the new key shares", Names: slices.Sorted(maps.Keys(set.Shares))}),
		"docs/vault.md says under \"A deal that was cut off\" where they are; then `clusterup vault unseal ENV --new-shares`")
}
