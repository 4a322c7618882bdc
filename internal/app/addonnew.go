// SPDX-License-Identifier: Apache-2.0

package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/templates"
)

// NewAddon is a folder that was made.
type NewAddon struct {
	Name     string   `json:"name"`
	Folder   string   `json:"folder"`
	Files    []string `json:"files"`
	Replaces string   `json:"replaces,omitempty"` // where an add-on of the same name comes from
}

// MakeAddon writes the folder of a new add-on into dir, addons/ when empty. It is
// whole or not there, and passes lint as it is. A name that an add-on of another
// place has is taken only with replace.
func MakeAddon(name, dir string, replace bool) (NewAddon, error) {
	if dir == "" {
		dir = addonsDir
	}
	made := NewAddon{Name: name, Folder: filepath.Join(dir, name)}
	if err := addon.CheckName(name); err != nil {
		return made, err
	}
	if _, err := os.Lstat(made.Folder); err == nil {
		return made, hint.With(fmt.Errorf("%s is there already", made.Folder), "take another name, or another folder with --dir")
	}
	if isAddon(dir) {
		return made, hint.With(fmt.Errorf("%s is an add-on itself", dir), "name the folder that it is in")
	}
	if made.Replaces = whereFrom(name); made.Replaces != "" && !replace {
		return made, hint.With(fmt.Errorf("there is an add-on %s already (%s), and this one would take its place", name, made.Replaces),
			"take another name, or say --replace if it is to take its place")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return made, fmt.Errorf("making the add-on %s: %w", name, err)
	}
	aside, err := os.MkdirTemp(dir, ".new-"+name+"-")
	if err != nil {
		return made, fmt.Errorf("making the add-on %s: %w", name, err)
	}
	if err := errors.Join(writeScaffold(aside, name), os.Chmod(aside, 0o755), os.Rename(aside, made.Folder)); err != nil {
		return made, errors.Join(fmt.Errorf("making the add-on %s: %w", name, err), os.RemoveAll(aside))
	}
	if _, err := Lint([]string{made.Folder}, nil, true); err != nil { // writes golden.yaml
		return made, err
	}
	made.Files, err = filesBelow(made.Folder)
	return made, err
}

// whereFrom names the place of an add-on that there is; "" is nowhere.
func whereFrom(name string) string {
	known, err := catalog(addonsDir, nil)
	if err != nil {
		return ""
	}
	for _, listed := range known.List() {
		if listed.Name == name {
			return listed.Source
		}
	}
	return ""
}

// writeScaffold writes the files of templates/addon with the add-on's name.
func writeScaffold(dir, name string) error {
	files, err := fs.Sub(templates.Addon, "addon")
	if err != nil {
		return err
	}
	return fs.WalkDir(files, ".", func(file string, d fs.DirEntry, err error) error {
		target := filepath.Join(dir, filepath.FromSlash(file))
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		text, err := fs.ReadFile(files, file)
		if err != nil {
			return err
		}
		content := string(text)
		if file == addon.MetadataFile {
			scalar, err := yaml.Marshal(name) // "on" and "1" need quotes
			if err != nil {
				return err
			}
			content = strings.Replace(content, "name: NAME ", "name: "+strings.TrimSpace(string(scalar))+" ", 1)
		}
		return os.WriteFile(target, []byte(strings.ReplaceAll(content, "NAME", name)), 0o644)
	})
}

// filesBelow lists the files of a folder, sorted.
func filesBelow(dir string) ([]string, error) {
	files := []string{}
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, file)
		files = append(files, name)
		return err
	})
	return files, err
}
