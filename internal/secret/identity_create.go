// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"filippo.io/age"
)

// CreateIdentity makes an age identity and keeps it at path, mode 0600, its
// folder 0700 where that is made too. The file appears whole or not at all, and
// one that is there is never overwritten: that error wraps fs.ErrExist.
func CreateIdentity(path string) (Identity, error) {
	if _, err := os.Lstat(path); err == nil {
		return Identity{}, fmt.Errorf("making the identity %s: %w", path, fs.ErrExist)
	}
	key, err := age.GenerateX25519Identity()
	if err != nil {
		return Identity{}, fmt.Errorf("making the identity: %w", err)
	}
	id := newIdentity(key)
	text := fmt.Appendf(nil, "# public key: %s\n%s\n", id.Public(), key)
	defer clear(text)
	if err := writeNew(path, text); err != nil {
		return Identity{}, fmt.Errorf("making the identity: %w", err)
	}
	return id, nil
}

// writeNew creates path with text in it, by linking a finished file there.
func writeNew(path string, text []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".identity-*") // 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // path is another name of it by then
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}
