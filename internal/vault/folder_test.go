// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"clusterup.dev/clusterup/internal/store"
)

// folder is a bucket of files, so that it outlives a killed process.
type folder struct{ dir string }

func (f *folder) Get(_ context.Context, key string) ([]byte, store.Version, error) {
	data, err := os.ReadFile(filepath.Join(f.dir, key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("read %s: %w", key, store.ErrNotFound)
	}
	return data, "1", err
}

// PutNew is all or nothing: the file appears whole under its name.
func (f *folder) PutNew(_ context.Context, key string, data []byte) (store.Version, error) {
	path := filepath.Join(f.dir, key)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	temp, err := os.CreateTemp(f.dir, ".new-*")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	if _, err := temp.Write(data); err != nil {
		return "", err
	}
	if err := temp.Close(); err != nil {
		return "", err
	}
	err = os.Link(temp.Name(), path)
	if errors.Is(err, fs.ErrExist) {
		if is, err := os.ReadFile(path); err == nil && string(is) == string(data) {
			return "1", nil
		}
		return "", fmt.Errorf("write %s: %w", key, store.ErrExists)
	}
	return "1", err
}

func (f *folder) List(_ context.Context, prefix string) ([]store.Entry, error) {
	var entries []store.Entry
	err := filepath.WalkDir(f.dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".new-") {
			return err
		}
		key, err := filepath.Rel(f.dir, path)
		if strings.HasPrefix(key, prefix) {
			entries = append(entries, store.Entry{Key: key})
		}
		return err
	})
	slices.SortFunc(entries, func(a, b store.Entry) int { return strings.Compare(a.Key, b.Key) })
	return entries, err
}

func (f *folder) Delete(_ context.Context, key string) error {
	err := os.Remove(filepath.Join(f.dir, key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (f *folder) keys(t *testing.T) []string {
	t.Helper()
	entries, err := f.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, e := range entries {
		keys = append(keys, e.Key)
	}
	return keys
}

// tokens gives the folder to secret.Keeper, in its terms.
type tokens struct{ *folder }

func (b tokens) Get(ctx context.Context, key string) ([]byte, error) {
	data, _, err := b.folder.Get(ctx, key)
	return data, err
}

func (b tokens) PutNew(ctx context.Context, key string, data []byte) error {
	_, err := b.folder.PutNew(ctx, key, data)
	return err
}

func (b tokens) List(ctx context.Context, prefix string) ([]string, error) {
	entries, err := b.folder.List(ctx, prefix)
	var keys []string
	for _, e := range entries {
		keys = append(keys, e.Key)
	}
	return keys, err
}
