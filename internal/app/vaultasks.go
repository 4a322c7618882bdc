// SPDX-License-Identifier: Apache-2.0

package app

import (
	"errors"
	"fmt"
	"io/fs"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/vault"
)

// vaultOwner is the name under which add-ons ask for policies and roles.
const vaultOwner = "vault"

// vaultAsks collects what all add-ons ask of Vault.
func (a *App) vaultAsks() ([]vault.Ask, error) {
	return collectAsks(a, vaultOwner, parseVaultAsk)
}

// checkVaultAsks checks what add-ons ask for against each other and against what
// the add-on vault has.
func (a *App) checkVaultAsks(c chosen, settings vault.Settings) error {
	asks, err := a.vaultAsks()
	if err != nil {
		return err
	}
	err = vault.CheckAsks(c.Files(), settings, asks)
	var wrong *vault.AskError
	if !errors.As(err, &wrong) {
		return err
	}
	for _, other := range a.addons {
		if other.Name == wrong.Addon {
			return askedAt(other.Addon, wrong)
		}
	}
	return err
}

// parseVaultAsk reads and checks the section of one add-on.
func parseVaultAsk(a *addon.Addon, section map[string]any) (vault.Ask, error) {
	ask, err := vault.ParseAsk(a.Name, a.Namespace, section, func(path string) ([]byte, error) {
		return fs.ReadFile(a.Files(), path)
	})
	var wrong *vault.AskError
	if errors.As(err, &wrong) {
		err = askedAt(a, wrong)
	}
	return ask, err
}

// askedAt puts the place in the add-on's folder before what is wrong.
func askedAt(a *addon.Addon, wrong *vault.AskError) error {
	where := a.At(append([]any{vaultOwner}, wrong.Path...)...)
	if wrong.File != "" {
		where = fmt.Sprintf("%s/%s:%d", a.Dir, wrong.File, max(wrong.Line, 1))
	}
	return hint.With(fmt.Errorf("%s: %w", where, wrong.Err), "%s", hint.Of(wrong.Err))
}

// lintVault is what of the section vault of one add-on can be checked alone.
func lintVault(a *addon.Addon, section map[string]any) error {
	_, err := parseVaultAsk(a, section)
	return err
}
