// SPDX-License-Identifier: Apache-2.0

package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"clusterup.dev/clusterup/addons"
	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/environment"
	"clusterup.dev/clusterup/internal/hint"
)

// addonsDir is the project's own folder of add-ons.
const addonsDir = "addons"

// catalog finds the add-ons of the program, of the project's own folder beside,
// which need not exist, and of the folders that were named by hand, which have
// to. A later one replaces an earlier one of the same name.
func catalog(beside string, dirs []string) (*addon.Catalog, error) {
	sources, err := sources(beside, dirs)
	if err != nil {
		return nil, err
	}
	return addon.Find(sources...)
}

func sources(beside string, dirs []string) ([]addon.Source, error) {
	for _, dir := range dirs {
		if err := checkAddonsDir(dir); err != nil {
			return nil, err
		}
	}
	all := []addon.Source{{Name: "built-in", Dir: "addons", FS: addons.FS}}
	folders := append([]string{beside}, dirs...)
	for i, dir := range folders {
		if slices.ContainsFunc(folders[i+1:], func(later string) bool { return same(dir, later) }) {
			continue // once is enough: nothing replaces itself
		}
		dir = filepath.Clean(dir)
		all = append(all, addon.Source{Name: dir, FS: os.DirFS(dir)})
	}
	return all, nil
}

// checkAddonsDir refuses what was typed wrong.
func checkAddonsDir(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return hint.With(fmt.Errorf("--addons-dir: there is no folder %s", dir), "name a folder that holds add-on folders")
	case err != nil:
		return fmt.Errorf("--addons-dir: %w", err)
	case !info.IsDir():
		return hint.With(fmt.Errorf("--addons-dir: %s is not a folder", dir), "name a folder that holds add-on folders")
	case isAddon(dir):
		return hint.With(fmt.Errorf("--addons-dir: %s is an add-on itself", dir), "name the folder that it is in")
	}
	return nil
}

// isAddon reports whether dir is an add-on folder.
func isAddon(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, addon.MetadataFile))
	return err == nil
}

func same(a, b string) bool {
	one, err := os.Stat(a)
	other, err2 := os.Stat(b)
	return err == nil && err2 == nil && os.SameFile(one, other)
}

// besideFile is the project's own folder of add-ons: addons/ beside the folder
// environments/ that the file is in, or beside a file that is elsewhere.
func besideFile(env *environment.Environment) string {
	dir := env.Dir()
	if whole, err := filepath.Abs(dir); err == nil && filepath.Base(whole) == environmentsDir {
		return filepath.Join(dir, "..", addonsDir)
	}
	return filepath.Join(dir, addonsDir)
}
