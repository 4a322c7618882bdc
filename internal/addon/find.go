// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// Source is a place with add-on folders.
type Source struct {
	Name string // as lists show it: "built-in", or the path
	Dir  string // as errors name its folders: "addons" or the path; Name when empty
	FS   fs.FS
}

// Catalog is what the sources hold. An add-on that cannot be loaded is an error
// only for whoever asks for it.
type Catalog struct {
	entries map[string]entry
}

type entry struct {
	addon *Addon
	err   error
}

// Find loads the folders of all sources; one of a later source replaces one of
// the same name. A source that does not exist is empty.
func Find(sources ...Source) (*Catalog, error) {
	c := &Catalog{entries: make(map[string]entry)}
	for _, source := range sources {
		folders, err := fs.ReadDir(source.FS, ".")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("looking for add-ons in %s: %w", source.Name, err)
		}
		for _, folder := range folders {
			if folder.IsDir() && !strings.HasPrefix(folder.Name(), ".") {
				c.entries[folder.Name()] = load(source, folder.Name())
			}
		}
	}
	return c, nil
}

func load(source Source, name string) entry {
	dir := source.Dir
	if dir == "" {
		dir = source.Name
	}
	files, err := fs.Sub(source.FS, name)
	if err != nil {
		return entry{err: fmt.Errorf("reading add-on %s/%s: %w", dir, name, err)}
	}
	a, err := Load(files, dir+"/"+name)
	if err != nil {
		return entry{err: err}
	}
	a.Source = source.Name
	return entry{addon: a}
}

// Names lists what there is, sorted.
func (c *Catalog) Names() []string { return slices.Sorted(maps.Keys(c.entries)) }

// Get gives one add-on, or why it cannot be loaded.
func (c *Catalog) Get(name string) (*Addon, error) {
	e, ok := c.entries[name]
	if !ok {
		return nil, fmt.Errorf("there is no add-on %s", name)
	}
	return e.addon, e.err
}
