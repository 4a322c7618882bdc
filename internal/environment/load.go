// SPDX-License-Identifier: Apache-2.0

package environment

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/strictyaml"
)

// Ext is how the name of an environment file ends.
const Ext = ".yaml"

// No environment file is that large; anything larger was named by mistake.
const maxFile = 1 << 20

// Load reads an environment: by its name from dir, or from a path, which has a
// slash in it or ends with .yaml or .yml. What it returns is valid by itself;
// whether modules, add-ons and values exist is for others to say, with Errorf.
func Load(pathOrName, dir string) (*Environment, error) {
	byName := !isPath(pathOrName)
	path := pathOrName
	if byName {
		if !namePattern.MatchString(pathOrName) {
			return nil, hint.With(fmt.Errorf("%q is not the name of an environment", pathOrName), "%s", nameHint)
		}
		path = filepath.Join(dir, pathOrName+Ext)
	}
	data, err := read(path)
	switch {
	case byName && errors.Is(err, fs.ErrNotExist):
		return nil, unknown(pathOrName, dir)
	case err != nil:
		return nil, fmt.Errorf("reading the environment %s: %w", path, err)
	}
	e, err := parse(path, data)
	if err != nil {
		return nil, err
	}
	if byName && e.Metadata.Name != pathOrName {
		return nil, hint.With(e.Errorf([]any{"metadata", "name"}, "the environment in this file is called %s", e.Metadata.Name),
			"name it %s, as its file, or rename the file", pathOrName)
	}
	return e, nil
}

func parse(path string, data []byte) (*Environment, error) {
	e := &Environment{}
	document, err := strictyaml.Decode(path, data, e)
	if err != nil {
		return nil, err
	}
	e.document, e.dir = document, filepath.Dir(path)
	if err := e.validate(); err != nil {
		return nil, err
	}
	return e, e.setDefaults(e.dir)
}

// Names lists the environments in dir, sorted; none when there is no such folder.
func Names(dir string) []string {
	var names []string
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		name, ok := strings.CutSuffix(entry.Name(), Ext)
		if ok && !entry.IsDir() && namePattern.MatchString(name) {
			names = append(names, name)
		}
	}
	return names
}

// At is "file:line:column" of what path leads to, keys (string) and indexes
// (int) from the top of the file, or of the nearest thing above it.
func (e *Environment) At(path ...any) string { return e.document.At(path...) }

// Errorf is an error about what path leads to.
func (e *Environment) Errorf(path []any, format string, args ...any) error {
	return e.document.Errorf(path, format, args...)
}

func isPath(s string) bool {
	return strings.ContainsRune(s, filepath.Separator) || strings.HasSuffix(s, Ext) || strings.HasSuffix(s, ".yml")
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	var failed *fs.PathError
	if errors.As(err, &failed) { // without "open" and the path, which is named already
		return nil, failed.Err
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case errors.As(err, &failed):
		return nil, failed.Err
	case len(data) > maxFile:
		return nil, errors.New("it is larger than 1 MiB")
	}
	return data, err
}

func unknown(name, dir string) error {
	err := fmt.Errorf("no environment %q: there is no file %s", name, filepath.Join(dir, name+Ext))
	if names := Names(dir); len(names) > 0 {
		return hint.With(err, "%s", strictyaml.Nearest(name, names))
	}
	return hint.With(err, "there is no environment in the folder %s; name the path of a file instead", dir)
}
