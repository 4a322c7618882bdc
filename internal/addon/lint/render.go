// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

// environment is what renders for checks call the environment.
const environment = "golden"

type rendered struct {
	objects []addon.Object
	err     error
}

// render carries out everything that depends on values, twice with different
// secrets, and reports what goes wrong.
func (l *linter) render(a *addon.Addon, values map[string]any) ([]addon.Object, bool) {
	hooks, err := a.HookCalls(environment, values)
	if err != nil {
		l.report(err)
		return nil, false
	}
	asks, err := a.Asks(environment, values)
	if err != nil {
		l.report(err)
		return nil, false
	}
	for i, h := range hooks {
		l.files(a, h.With, []any{"hooks", i, "with"})
	}
	for owner, ask := range asks {
		l.files(a, ask, []any{owner})
		if check := l.Asks[owner]; check != nil {
			// A file that is not there was just reported.
			if err := check(a, ask); err != nil && !errors.Is(err, fs.ErrNotExist) {
				l.report(err)
			}
		}
	}
	objects, err := Render(l.Catalog, a, values)
	if err != nil {
		l.report(err)
	}
	return objects, err == nil
}

// Render renders an add-on offline, with placeholders for tokens, and refuses
// a token that leaves the data of Secrets. What could be rendered comes beside
// the error.
func Render(catalog *addon.Catalog, a *addon.Addon, values map[string]any) ([]addon.Object, error) {
	specs, err := tokens(catalog, a, values)
	if err != nil {
		return nil, err
	}
	placeholders := secret.Placeholders(specs)
	in := addon.Input{Addon: a, Values: values, Environment: environment, Site: site(), Tokens: placeholders, Places: true}
	objects, err := addon.Render(in)
	if err != nil {
		return objects, err
	}
	in.Tokens = placeholders.WithFakeSecrets("other")
	others, err := addon.Render(in)
	if err != nil {
		return objects, err
	}
	return objects, addon.CheckSecrets(objects, others)
}

// tokens are those of the add-on under these values, of what it needs under its
// defaults, and of the environment.
func tokens(catalog *addon.Catalog, a *addon.Addon, values map[string]any) ([]secret.Spec, error) {
	all, err := a.Specs(environment, values)
	if err != nil {
		return nil, err
	}
	for _, need := range a.Needs {
		needed, err := catalog.Get(need)
		if err != nil {
			continue // is said of needs
		}
		more, err := needed.Specs(environment, needed.Values)
		if err != nil {
			return nil, fmt.Errorf("%s needs %s: %w", a.Name, need, err)
		}
		all = append(all, more...)
	}
	return append(all, addon.Authority(environment), addon.StoreKey()), nil
}

// site is that of a local environment, where templates have most to write.
func site() addon.Site {
	return addon.Site{
		Store: addon.Store{
			Endpoint: "https://10.88.0.1:20000", Region: "us-east-1", Bucket: "clusterup", Prefix: environment,
			PathStyle: true, CA: "<certificate of the store>", Key: true,
		},
		Recipients: []string{"<public key of an operator>"},
	}
}

// files reports names of files in addon.yaml that are not in the folder.
func (l *linter) files(a *addon.Addon, node any, at []any) {
	switch node := node.(type) {
	case map[string]any:
		for key, value := range node {
			l.files(a, value, append(at[:len(at):len(at)], key))
		}
	case []any:
		for i, value := range node {
			l.files(a, value, append(at[:len(at):len(at)], i))
		}
	case string:
		if !strings.HasPrefix(node, "files/") {
			return
		}
		if _, err := fs.Stat(a.Files(), node); err != nil {
			l.report(hint.With(fmt.Errorf("%s: there is no file %s/%s", a.At(at...), a.Dir, node), "%s", nearestFile(a, node)))
		}
	}
}
