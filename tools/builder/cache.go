// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// artifact is one folder of the cache. The hash stands for everything it is
// made from, so a folder that exists is right and is never changed.
type artifact struct {
	name string
	hash string
	verb string                                      // what making it is called in the output
	make func(ctx context.Context, dir string) error // fills an empty folder
}

func (a artifact) id() string { return a.name + "-" + a.hash }

// cache holds finished artifacts. A folder appears under its name complete or
// not at all, whoever is killed whenever.
type cache struct{ dir string }

// defaultCache is outside the checkout, so that a clean clone or a second one
// builds nothing again.
func defaultCache() (cache, error) {
	base := os.Getenv("CLUSTERUP_CACHE")
	if base == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return cache{}, withHint(fmt.Errorf("find a cache folder: %w", err), "set CLUSTERUP_CACHE to a folder")
		}
		base = filepath.Join(dir, "clusterup")
	}
	base, err := filepath.Abs(base)
	return cache{filepath.Join(base, "servers")}, err
}

func (c cache) path(a artifact) string { return filepath.Join(c.dir, a.id()) }

func (c cache) has(a artifact) bool {
	info, err := os.Stat(c.path(a))
	return err == nil && info.IsDir()
}

// ensure makes the artifact when it is missing and reports whether it did.
// Of two processes that want the same one, the second waits for the first.
// It says what it is doing only where that takes time.
func (c cache) ensure(ctx context.Context, a artifact, say func(doing string)) (made bool, err error) {
	if c.has(a) {
		return false, nil
	}
	unlock, err := c.lock(ctx, a.name, func() { say("waiting for another run's") })
	if err != nil {
		return false, err
	}
	defer unlock()
	if c.has(a) {
		return false, nil
	}
	say(a.verb)
	scratch := filepath.Join(c.dir, ".making-"+a.name) // ours alone: we hold the lock
	if err := os.RemoveAll(scratch); err != nil {
		return false, fmt.Errorf("clear what a killed run left: %w", err)
	}
	if err := os.Mkdir(scratch, 0o755); err != nil {
		return false, fmt.Errorf("make cache folder: %w", err)
	}
	defer os.RemoveAll(scratch)
	if err := a.make(ctx, scratch); err != nil {
		return false, err
	}
	if err := os.Rename(scratch, c.path(a)); err != nil && !errors.Is(err, fs.ErrExist) {
		return false, fmt.Errorf("keep %s: %w", a.name, err)
	}
	return true, nil
}

// lock is held by the open file, so it ends with the process at the latest.
func (c cache) lock(ctx context.Context, name string, busy func()) (unlock func(), err error) {
	dir := filepath.Join(c.dir, "locks")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, withHint(fmt.Errorf("make cache folder: %w", err), "set CLUSTERUP_CACHE to a folder you can write")
	}
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
		return func() { f.Close() }, nil
	}
	busy()
	got := make(chan error, 1)
	go func() { got <- syscall.Flock(int(f.Fd()), syscall.LOCK_EX) }()
	select {
	case err := <-got:
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		return func() { f.Close() }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for another build of %s: %w", name, ctx.Err())
	}
}
