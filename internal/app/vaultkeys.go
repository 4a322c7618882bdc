// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"

	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/vault"
)

// What the commands of key holders work with, for those who know this package alone.
type (
	Vault       = vault.Vault
	VaultDetail = vault.Detail
	VaultKeys   = vault.Keys
	Emergency   = vault.Emergency
	RootToken   = vault.Root
	Hand        = custody.Hand
	Verified    = custody.Verified
)

// Vault is the one Vault of the environment.
func (s *Session) Vault() (*Vault, error) {
	names := sortedKeys(s.vaults)
	switch len(names) {
	case 0:
		return nil, hint.With(fmt.Errorf("%s has no Vault", s.Name()), "add the add-on vault to spec.addons")
	case 1:
		return s.vaults[names[0]], nil
	}
	return nil, fmt.Errorf("%s has %d Vaults, and this is for environments with one", s.Name(), len(names))
}

// Recorded does something and writes to the history of the environment that it
// was done, and how it ended.
func (s *Session) Recorded(ctx context.Context, do func(ctx context.Context) error) error {
	end := s.begin(ctx, "", nil)
	err := do(ctx)
	end(ctx, nil, err)
	return err
}

// confirmedReport says how many holders have proven that they can open their
// shares; "" when all have, and when the only holder is the custodian, whose
// shares every run opens anyway. It is never a reason to be degraded: a share
// that was not tried may well be good, nothing would get better by another run, and
// whoever waits for a healthy environment cannot make people come.
func (s *Session) confirmedReport(status vault.Status) string {
	confirmed, holders := len(status.Confirmed), len(status.Shares)
	_, own := status.Shares[s.env.Spec.Custodian]
	if confirmed == holders || own && holders == 1 {
		return ""
	}
	return fmt.Sprintf("%d of %d holders have confirmed that they can open theirs", confirmed, holders)
}
