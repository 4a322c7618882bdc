// SPDX-License-Identifier: Apache-2.0

package app

import (
	"io/fs"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/consul"
	"clusterup.dev/clusterup/internal/secret"
)

// consulOwner is the name under which add-ons ask for policies, roles, tokens and logins.
const consulOwner = "consul"

// consulAsks collects what all add-ons ask of Consul.
func (a *App) consulAsks() ([]consul.Ask, error) {
	return collectAsks(a, consulOwner, parseConsulAsk)
}

// collectAsks reads the sections of all add-ons that ask something of one, in the
// order of the add-ons.
func collectAsks[T any](a *App, owner string, parse func(*addon.Addon, map[string]any) (T, error)) ([]T, error) {
	asks := []T{}
	for _, c := range a.addons {
		sections, err := c.Asks(a.Name(), c.values)
		if err != nil {
			return nil, err
		}
		section, ok := sections[owner]
		if !ok {
			continue
		}
		ask, err := parse(c.Addon, section)
		if err != nil {
			return nil, err
		}
		asks = append(asks, ask)
	}
	return asks, nil
}

func parseConsulAsk(a *addon.Addon, section map[string]any) (consul.Ask, error) {
	return consul.ParseAsk(section, consulSource(a))
}

// consulSource is what the section consul of an add-on may refer to.
func consulSource(a *addon.Addon) consul.Source {
	tokens := []string{}
	for _, t := range a.Tokens {
		if t.Kind == string(secret.ACLToken) {
			tokens = append(tokens, t.Name)
		}
	}
	return consul.Source{
		Addon: a.Name, Dir: a.Dir, Namespace: a.Namespace, Tokens: tokens, At: a.At,
		Read: func(path string) ([]byte, error) { return fs.ReadFile(a.Files(), path) },
	}
}

// lintConsul is what of the section consul of one add-on can be checked alone.
func lintConsul(a *addon.Addon, section map[string]any) error {
	_, err := parseConsulAsk(a, section)
	return err
}
