// SPDX-License-Identifier: Apache-2.0

package app

import (
	"fmt"
	"slices"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

// Render gives the manifests of all add-ons, or of one, with placeholders in the
// place of secrets. It needs neither a store nor a cluster.
func (a *App) Render(only string) ([]byte, error) {
	sets, err := a.rendersOf(only)
	if err != nil {
		return nil, err
	}
	return addon.WriteYAML(slices.Concat(sets...))
}

// RenderList is the same as a List, for programs.
func (a *App) RenderList(only string) (map[string]any, error) {
	sets, err := a.rendersOf(only)
	items := []any{}
	for _, o := range slices.Concat(sets...) {
		items = append(items, addon.Readable(o.Unstructured).Object)
	}
	return map[string]any{"apiVersion": "v1", "kind": "List", "items": items}, err
}

// rendersOf renders every add-on with placeholders, and keeps what the named one
// gives, or all.
func (a *App) rendersOf(only string) ([][]addon.Object, error) {
	if only != "" && !slices.Contains(a.addonNames(), only) {
		return nil, hint.With(fmt.Errorf("%s has no add-on %q", a.Name(), only), "%s", a.unlisted(only))
	}
	sets, err := a.render(secret.Placeholders(a.renderSpecs()), a.offlineSite())
	if err != nil {
		return nil, err
	}
	for i, c := range a.addons {
		if only != "" && only != c.Name {
			sets[i] = nil
		}
	}
	return sets, nil
}
