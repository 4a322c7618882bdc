// SPDX-License-Identifier: Apache-2.0

// Package courier takes sealed key shares to the people who hold them: by e-mail
// through SMTP, or into a folder. What it is given is sealed already; it has no
// key, and could open nothing.
package courier

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"clusterup.dev/clusterup/internal/custody"
)

// Folder puts each share into a file of its own: <Dir>/<init>/<holder>-<n>.age.
type Folder struct {
	Dir string
}

// Way is "folder".
func (Folder) Way() string { return "folder" }

// Address is the folder, which is everybody's.
func (f Folder) Address(string) string { return f.Dir }

// Deliver writes the files, whole or not at all, for their owner's eyes alone. A
// file that is there with something else in it is left alone, and an error.
func (f Folder) Deliver(_ context.Context, _ string, files []custody.File) error {
	for _, file := range files {
		if err := f.put(filepath.Join(f.Dir, filepath.FromSlash(file.Name)), file.Sealed); err != nil {
			return err
		}
	}
	return nil
}

func (f Folder) put(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, ".new-*") // of mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(temp.Name())) }()
	_, err = temp.Write(data)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	switch err := os.Link(temp.Name(), path); {
	case errors.Is(err, fs.ErrExist):
		is, err := os.ReadFile(path)
		if err == nil && !bytes.Equal(is, data) {
			err = fmt.Errorf("%s is there and holds something else", path)
		}
		return err
	case err != nil:
		return err
	}
	return nil
}
