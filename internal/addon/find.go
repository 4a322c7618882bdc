// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
)

// Source is a place with add-on folders.
type Source struct {
	Name string // as lists show it: "built-in", or the path
	Dir  string // as errors name its folders: "addons" or the path; Name when empty
	FS   fs.FS
	Only string // the one folder of it that counts; all when empty
}

// Catalog is what the sources hold. An add-on that cannot be loaded is an error
// only for whoever asks for it.
type Catalog struct {
	entries map[string]entry
}

type entry struct {
	addon    *Addon
	err      error
	source   string
	replaces []string // sources that hold a folder of the same name, which does not count
}

// Listed is one name of a catalog, as lists show it.
type Listed struct {
	Name     string
	Source   string
	Replaces []string // the sources whose add-on of this name it takes the place of
	Addon    *Addon   // nil when it cannot be loaded
	Err      error
}

// Find loads the folders of all sources; one of a later source replaces one of
// the same name. A source that does not exist is empty. A link to a folder is
// a folder.
func Find(sources ...Source) (*Catalog, error) {
	c := &Catalog{entries: make(map[string]entry)}
	for _, source := range sources {
		names, err := source.folders()
		if err != nil {
			return nil, fmt.Errorf("looking for add-ons in %s: %w", source.Name, err)
		}
		for _, name := range names {
			e := load(source, name)
			if below, ok := c.entries[name]; ok {
				e.replaces = append(below.replaces, below.source)
			}
			c.entries[name] = e
		}
	}
	return c, nil
}

// folders names the folders of the source that are add-ons.
func (s Source) folders() ([]string, error) {
	entries, err := fs.ReadDir(s.FS, ".")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") || s.Only != "" && s.Only != name {
			continue
		}
		isDir := e.IsDir()
		if e.Type()&fs.ModeSymlink != 0 {
			info, err := fs.Stat(s.FS, name)
			isDir = err == nil && info.IsDir()
		}
		if isDir {
			names = append(names, name)
		}
	}
	return names, nil
}

func load(source Source, name string) entry {
	dir := source.Dir
	if dir == "" {
		dir = source.Name
	}
	files, err := fs.Sub(source.FS, name)
	if err != nil {
		return entry{source: source.Name, err: fmt.Errorf("reading add-on %s: %w", path.Join(dir, name), err)}
	}
	a, err := Load(files, path.Join(dir, name))
	if err != nil {
		return entry{source: source.Name, err: err}
	}
	a.Source = source.Name
	return entry{source: source.Name, addon: a}
}

// Names lists what there is, sorted.
func (c *Catalog) Names() []string { return slices.Sorted(maps.Keys(c.entries)) }

// List gives everything, sorted by name, with what cannot be loaded.
func (c *Catalog) List() []Listed {
	all := make([]Listed, 0, len(c.entries))
	for _, name := range c.Names() {
		e := c.entries[name]
		all = append(all, Listed{Name: name, Source: e.source, Replaces: e.replaces, Addon: e.addon, Err: e.err})
	}
	return all
}

// Get gives one add-on, or why it cannot be loaded.
func (c *Catalog) Get(name string) (*Addon, error) {
	e, ok := c.entries[name]
	if !ok {
		return nil, hint.With(fmt.Errorf("there is no add-on %s", name), "%s", suggest(name, c.entries))
	}
	return e.addon, e.err
}
