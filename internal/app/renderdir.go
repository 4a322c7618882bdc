// SPDX-License-Identifier: Apache-2.0

package app

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/hint"
)

// renderedFiles is the list of what a render wrote into a folder. By it a later
// one knows that the folder is its own, and what of it to take away.
const renderedFiles = ".clusterup-render"

// RenderTo writes a folder for each add-on, with a file for each of its templates,
// and gives the files. What an earlier render wrote is replaced: of all add-ons,
// or of the one that is named. A folder with anything else in it is refused.
func (a *App) RenderTo(dir, only string) ([]string, error) {
	sets, err := a.rendersOf(only)
	if err != nil {
		return nil, err
	}
	earlier, err := earlierRender(dir)
	if err != nil {
		return nil, err
	}
	files := map[string][]addon.Object{}
	for i, c := range a.addons {
		for _, o := range sets[i] {
			name := filepath.Join(c.Name, renderedFile(c.Addon, o))
			files[name] = append(files[name], o)
		}
	}
	keep := slices.DeleteFunc(slices.Clone(earlier), func(name string) bool {
		return only == "" || strings.HasPrefix(name, only+string(filepath.Separator))
	})
	written := slices.Sorted(maps.Keys(files))
	all := append(keep, written...)
	slices.Sort(all)
	all = slices.Compact(all)
	// The list comes first: a run that is cut off leaves no file that it does not name.
	if err := writeFile(dir, renderedFiles, []byte(strings.Join(slices.Compact(slices.Sorted(slices.Values(slices.Concat(earlier, all)))), "\n")+"\n")); err != nil {
		return nil, err
	}
	for _, name := range earlier {
		if !slices.Contains(all, name) {
			if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("rendering into %s: %w", dir, err)
			}
			_ = os.Remove(filepath.Dir(filepath.Join(dir, name))) // when it is empty
		}
	}
	for _, name := range written {
		text, err := addon.WriteYAML(files[name])
		if err != nil {
			return nil, err
		}
		if err := writeFile(dir, name, text); err != nil {
			return nil, err
		}
	}
	return written, writeFile(dir, renderedFiles, []byte(strings.Join(all, "\n")+"\n"))
}

// earlierRender lists what a render wrote into dir; it refuses a folder that
// holds something and was not written by one.
func earlierRender(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("rendering into %s: %w", dir, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, renderedFiles))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, hint.With(fmt.Errorf("%s is not empty, and no render wrote it", dir), "name another folder")
	}
	if err != nil {
		return nil, fmt.Errorf("rendering into %s: %w", dir, err)
	}
	files := strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })
	for _, name := range files {
		if !filepath.IsLocal(name) {
			return nil, fmt.Errorf("%s: it lists %s, which is outside of the folder", filepath.Join(dir, renderedFiles), name)
		}
	}
	return files, nil
}

// renderedFile is the file of an object, below the add-on's folder: that of its
// template, or namespace.yaml for what no template gave.
func renderedFile(a *addon.Addon, o addon.Object) string {
	name := strings.TrimPrefix(o.File, a.Dir+"/")
	if name == addon.MetadataFile {
		return "namespace.yaml"
	}
	name = strings.TrimPrefix(name, "manifests/")
	if !filepath.IsLocal(name) {
		return filepath.Base(name)
	}
	return filepath.FromSlash(name)
}

func writeFile(dir, name string, content []byte) error {
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("rendering into %s: %w", dir, err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return fmt.Errorf("rendering into %s: %w", dir, err)
	}
	return nil
}
