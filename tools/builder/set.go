// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// manifest is set.json: what a set holds, for whoever imports its images.
type manifest struct {
	Servers map[string]string   `json:"servers"` // name to version, "" for our own programs
	Images  map[string][]string `json:"images"`  // archive file to image names
}

// makeSet describes a folder with everything under one roof. Its files are
// hard links into the cache, so it stays whole when older folders are removed,
// and each name of a multi-call binary is a real file.
func makeSet(c cache, servers []built, packed []archive) artifact {
	var parts []string
	m := manifest{map[string]string{}, map[string][]string{}}
	for _, s := range servers {
		parts = append(parts, s.id(), strings.Join(s.programs, " "))
		m.Servers[s.server.name] = s.version
	}
	for _, a := range packed {
		parts = append(parts, a.artifact().id())
		for _, i := range a.images {
			m.Images[a.file()] = append(m.Images[a.file()], i.ref)
		}
	}
	return artifact{"set", digest(parts...), "linking", func(_ context.Context, dir string) error {
		if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
			return fmt.Errorf("make set: %w", err)
		}
		for _, s := range servers {
			for _, p := range s.programs {
				if err := os.Link(s.binary(c), filepath.Join(dir, "bin", p)); err != nil {
					return fmt.Errorf("make set: %w", err)
				}
			}
		}
		for _, a := range packed {
			from := filepath.Join(c.path(a.artifact()), a.file())
			if err := os.Link(from, filepath.Join(dir, a.file())); err != nil {
				return fmt.Errorf("make set: %w", err)
			}
		}
		text, err := json.MarshalIndent(m, "", "  ")
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "set.json"), append(text, '\n'), 0o644)
	}}
}

// pointAt makes link a symlink to target; whoever follows it meanwhile finds
// the old set or the new one.
func pointAt(link, target string) error {
	if now, err := os.Readlink(link); err == nil && now == target {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return fmt.Errorf("make the folder of the link: %w", err)
	}
	if info, err := os.Lstat(link); err == nil && info.Mode()&os.ModeSymlink == 0 {
		return withHint(fmt.Errorf("link %s: something that is no symlink is there", link), "move it away")
	}
	scratch, err := os.MkdirTemp(filepath.Dir(link), ".link-")
	if err != nil {
		return fmt.Errorf("link the set: %w", err)
	}
	defer os.RemoveAll(scratch)
	made := filepath.Join(scratch, "link")
	if err := os.Symlink(target, made); err != nil {
		return fmt.Errorf("link the set: %w", err)
	}
	if err := os.Rename(made, link); err != nil {
		return fmt.Errorf("link the set: %w", err)
	}
	return nil
}
