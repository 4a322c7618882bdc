// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// prefix begins the name of every volume that the provisioner names. Nothing
// else is ever made or removed here.
const prefix = "pvc-"

// run creates or deletes the folder at path; both are right when it is done
// already. All work happens inside the parent as a root, so that neither dots
// nor a symlink in the volume's place can lead anywhere else.
func run(action, path string) error {
	name := filepath.Base(path)
	if !filepath.IsAbs(path) || filepath.Clean(path) != path || !strings.HasPrefix(name, prefix) ||
		filepath.Dir(path) == "/" {
		return fmt.Errorf("refused %q: a volume is an absolute, clean path whose last part begins with %s", path, prefix)
	}
	parent, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("open the folder of volumes: %w", err)
	}
	defer parent.Close()
	switch action {
	case "create":
		return create(parent, name)
	case "delete":
		if err := parent.RemoveAll(name); err != nil {
			return fmt.Errorf("delete volume: %w", err)
		}
		return nil
	default:
		return fmt.Errorf("refused action %q: it is create or delete", action)
	}
}

// create leaves the folder open to all, because the pod that mounts it may
// run as any user and nobody else on the node can reach the path.
func create(parent *os.Root, name string) error {
	if err := parent.Mkdir(name, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("create volume: %w", err)
	}
	info, err := parent.Lstat(name)
	if err != nil {
		return fmt.Errorf("look at volume: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("refused %q: it is there and is not a folder", name)
	}
	// The umask took bits from the mode above.
	if err := parent.Chmod(name, 0o777); err != nil {
		return fmt.Errorf("open volume to all users: %w", err)
	}
	return nil
}
