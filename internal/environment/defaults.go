// SPDX-License-Identifier: Apache-2.0

package environment

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const defaultTimeout = Duration(30 * time.Minute) // a cloud's control plane takes up to 16

// setDefaults fills in what the file leaves out. dir is the file's folder.
func (e *Environment) setDefaults(dir string) error {
	s := &e.Spec
	if s.Timeout == 0 {
		s.Timeout = defaultTimeout
	}
	if s.Store.Prefix == "" {
		s.Store.Prefix = e.Metadata.Name
	}
	if err := e.setDelivery(dir); err != nil {
		return err
	}
	if s.Cluster.Kubeconfig == nil {
		return nil
	}
	path, err := resolve(s.Cluster.Kubeconfig.Path, dir)
	if err != nil {
		return e.Errorf([]any{"spec", "cluster", "kubeconfig", "path"}, "%w", err)
	}
	s.Cluster.Kubeconfig.Path = path
	return nil
}

// resolve makes a path of the file one that can be opened.
func resolve(path, dir string) (string, error) {
	rest, ok := strings.CutPrefix(path, "~/")
	if ok {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
		return filepath.Join(home, rest), nil
	}
	if filepath.IsAbs(path) {
		return path, nil
	}
	return filepath.Join(dir, path), nil
}
