// SPDX-License-Identifier: Apache-2.0

package app

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/environment"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

// chosen is an add-on with what this environment sets.
type chosen struct {
	*addon.Addon
	values map[string]any
	hooks  []addon.Hook
	specs  []secret.Spec
}

// choose loads the add-ons that the environment lists, in the order of their
// needs, and merges its values into theirs. Errors point into the environment's
// file.
func choose(env *environment.Environment, dirs []string) ([]chosen, error) {
	catalog, err := catalog(besideFile(env), dirs)
	if err != nil {
		return nil, err
	}
	names, index := []string{}, map[string]int{}
	for i, ref := range env.Spec.Addons {
		names, index[ref.Name] = append(names, ref.Name), i
	}
	selected, err := catalog.Select(names)
	var wrong *addon.SelectError
	if errors.As(err, &wrong) {
		return nil, hint.With(env.Errorf([]any{"spec", "addons", wrong.Index, "name"}, "%s", wrong.Msg), "%s", wrong.Hint)
	}
	if err != nil {
		return nil, err
	}
	all := make([]chosen, 0, len(selected))
	for _, a := range selected {
		c, err := merge(env, a, index[a.Name])
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func merge(env *environment.Environment, a *addon.Addon, index int) (chosen, error) {
	c := chosen{Addon: a}
	var err error
	if c.values, err = a.Merge(env.Spec.Addons[index].Values); err != nil {
		return c, atValue(env, index, err)
	}
	if c.hooks, err = a.HookCalls(env.Metadata.Name, c.values); err != nil {
		return c, err
	}
	c.specs, err = a.Specs(env.Metadata.Name, c.values)
	return c, err
}

// unlisted is what to do about an add-on that the environment does not list.
func (a *App) unlisted(name string) string {
	known, err := catalog(besideFile(a.env), a.options.AddonsDirs)
	if err == nil && slices.Contains(known.Names(), name) {
		return fmt.Sprintf("add {name: %s} to spec.addons (%s)", name, a.env.At("spec", "addons"))
	}
	return "it has " + strings.Join(a.addonNames(), ", ")
}

// atValue puts file, line and column of the environment before every error
// about one of an add-on's values.
func atValue(env *environment.Environment, index int, err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all := []error{}
		for _, e := range joined.Unwrap() {
			all = append(all, atValue(env, index, e))
		}
		return errors.Join(all...)
	}
	var wrong *addon.ValueError
	if !errors.As(err, &wrong) {
		return err
	}
	path := append([]any{"spec", "addons", index, "values"}, wrong.Path...)
	return hint.With(env.Errorf(path, "%s", wrong), "%s", wrong.Hint)
}

// addonIndex is where the environment lists an add-on.
func (a *App) addonIndex(name string) int {
	for i, ref := range a.env.Spec.Addons {
		if ref.Name == name {
			return i
		}
	}
	return 0
}
