// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"text/template"

	"clusterup.dev/clusterup/internal/hint"
)

// funcs are the functions that manifests have beside the pure ones.
func (r *renderer) funcs() template.FuncMap {
	return template.FuncMap{
		"token":   r.token,
		"public":  r.public,
		"image":   r.image,
		"file":    r.file,
		"glob":    r.glob,
		"include": r.include,
	}
}

func (r *renderer) token(id string) (string, error) {
	if strings.HasPrefix(id, Environment+"/") && id != EnvironmentStore {
		return "", hint.With(fmt.Errorf("token %s is the environment's own, and no add-on's to read", id),
			"give the add-on a token of kind cert with `ca: %s`; {{ public %q }} is for those who verify it", EnvironmentCA, EnvironmentCA)
	}
	if err := r.mayUse(id); err != nil {
		return "", err
	}
	value, ok := r.Tokens.Secret(id)
	if !ok {
		return "", r.unknownToken(id)
	}
	r.revealed = append(r.revealed, value)
	return value.RevealString(), nil
}

func (r *renderer) public(id string) (string, error) {
	if err := r.mayUse(id); err != nil {
		return "", err
	}
	switch text, ok := r.Tokens.Public(id); {
	case !ok:
		return "", r.unknownToken(id)
	case text == "":
		return "", fmt.Errorf("token %s has no public half", id)
	default:
		return text, nil
	}
}

func (r *renderer) mayUse(id string) error {
	switch {
	case id == EnvironmentCA:
		return nil
	case id == EnvironmentStore && r.Site.Store.Key:
		return nil
	case id == EnvironmentStore:
		return hint.With(errors.New("pods have no key of their own to this environment's store"), "ask with {{ if .Environment.Store.Key }}")
	}
	owner, name, ok := strings.Cut(id, "/")
	if !ok || owner == "" || name == "" || strings.Contains(name, "/") {
		return hint.With(fmt.Errorf("%q names no token", id), "write add-on and name: %s/%s", r.Addon.Name, id)
	}
	if owner == Environment {
		return hint.With(fmt.Errorf("there is no token %s", id), "what the environment itself shows is %s", EnvironmentCA)
	}
	if owner != r.Addon.Name && !slices.Contains(r.Addon.Needs, owner) {
		return hint.With(fmt.Errorf("token %s belongs to %s, which %s does not need", id, owner, r.Addon.Name),
			"list %s under needs in %s/%s", owner, r.Addon.Dir, MetadataFile)
	}
	if owner == r.Addon.Name && !slices.ContainsFunc(r.Addon.Tokens, func(t Token) bool { return t.Name == name }) {
		return r.unknownToken(id)
	}
	return nil
}

func (r *renderer) unknownToken(id string) error {
	known := make(map[string]bool)
	for _, t := range r.Addon.Tokens {
		known[r.Addon.Name+"/"+t.Name] = true
	}
	owner, _, _ := strings.Cut(id, "/")
	if owner != r.Addon.Name {
		return hint.With(fmt.Errorf("there is no token %s", id), "the tokens of %s are listed in its addon.yaml", owner)
	}
	return hint.With(fmt.Errorf("there is no token %s", id), "%s", suggest(id, known))
}

func (r *renderer) image(key string) (string, error) {
	ref, ok := r.Addon.Images[key]
	if !ok {
		return "", hint.With(fmt.Errorf("there is no image %q in %s", key, MetadataFile), "%s", suggest(key, r.Addon.Images))
	}
	mapped := Mirror(ref, r.Images)
	r.mapped = append(r.mapped, mapped)
	return mapped, nil
}

func (r *renderer) file(name string) (string, error) {
	data, err := fs.ReadFile(r.Addon.files, path.Join(filesDir, name))
	if !fs.ValidPath(name) || err != nil {
		return "", fmt.Errorf("there is no file %s", path.Join(r.Addon.Dir, filesDir, name))
	}
	return string(data), nil
}

// glob gives names below files/, sorted; none is an error, as a pattern that
// matches nothing is a mistake.
func (r *renderer) glob(pattern string) ([]string, error) {
	matches, err := fs.Glob(r.Addon.files, path.Join(filesDir, pattern))
	if err != nil || len(matches) == 0 {
		return nil, fmt.Errorf("no file matches %s", path.Join(r.Addon.Dir, filesDir, pattern))
	}
	for i := range matches {
		matches[i] = strings.TrimPrefix(matches[i], filesDir+"/")
	}
	slices.Sort(matches)
	return matches, nil
}

// maxIncludes bounds templates that include themselves.
const maxIncludes = 100

func (r *renderer) include(name string, data any) (string, error) {
	if r.depth++; r.depth > maxIncludes {
		return "", fmt.Errorf("templates include each other more than %d deep", maxIncludes)
	}
	defer func() { r.depth-- }()
	if r.templates.Lookup(name) == nil {
		return "", hint.With(fmt.Errorf("there is no template %q", name), "%s", suggest(name, r.defined()))
	}
	var b bytes.Buffer
	if err := r.templates.ExecuteTemplate(&limited{Buffer: &b}, name, data); err != nil {
		return "", included(err)
	}
	return b.String(), nil
}

func (r *renderer) defined() map[string]bool {
	names := make(map[string]bool)
	for _, t := range r.templates.Templates() {
		if !strings.Contains(t.Name(), "/") {
			names[t.Name()] = true
		}
	}
	return names
}
