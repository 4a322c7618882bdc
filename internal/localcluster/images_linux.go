// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// Images are unpacked once into the data folder of a containerd that runs for
// no other purpose. Every node then starts with a copy of that folder, whose
// files are second links to the same ones: containerd never changes a layer.
// So three nodes cost no more time, disk or page cache than one.

// unpackedImages gives the prepared folder, and makes it when it is not there
// yet. It lies beside the archives, where it is shared by all environments and
// goes with them; or in the environment when links could not reach it there.
func unpackedImages(ctx context.Context, c Config) (string, error) {
	archives, err := imageArchives(c.Servers)
	if err != nil {
		return "", err
	}
	key, err := imagesKey(c.Servers)
	if err != nil {
		return "", err
	}
	home := filepath.Join(filepath.Dir(archives[0]), "unpacked")
	if !sameDevice(filepath.Dir(archives[0]), c.layout().dir()) {
		home = c.layout().path("images")
	}
	if err := os.MkdirAll(home, 0o700); err != nil {
		return "", err
	}
	held, err := lock(ctx, home)
	if err != nil {
		return "", err
	}
	defer held.Close()
	dir := filepath.Join(home, key)
	if exists(dir) {
		return dir, nil
	}
	return dir, unpack(ctx, archives, dir)
}

// imagesKey changes when an image of any archive does.
func imagesKey(servers string) (string, error) {
	archives, err := imageArchives(servers)
	if err != nil {
		return "", err
	}
	key := sha256.New()
	for _, a := range archives {
		manifest, err := archiveManifest(a)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(key, "%s %d %s\n", filepath.Base(a), len(manifest), manifest)
	}
	return fmt.Sprintf("%x", key.Sum(nil)[:8]), nil
}

// archiveManifest reads what names the archive's images by their digests. It
// seeks over the layers.
func archiveManifest(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err != nil {
			return nil, fmt.Errorf("find the manifest in %s: %w", path, err)
		}
		if h.Name == "manifest.json" {
			return io.ReadAll(io.LimitReader(r, 1<<20))
		}
	}
}

// imageArchives are the archives where they really lie.
func imageArchives(servers string) ([]string, error) {
	archives, err := filepath.Glob(filepath.Join(servers, "images*.tar"))
	if err != nil {
		return nil, err
	}
	if len(archives) == 0 {
		return nil, fmt.Errorf("no image archive in %s", servers)
	}
	for i, a := range archives {
		if archives[i], err = filepath.EvalSymlinks(a); err != nil {
			return nil, err
		}
	}
	return archives, nil
}

func sameDevice(a, b string) bool {
	var x, y unix.Stat_t
	return unix.Stat(a, &x) == nil && unix.Stat(b, &y) == nil && x.Dev == y.Dev && unix.Access(a, unix.W_OK) == nil
}

// unpack imports the archives into dir, which appears as a whole.
func unpack(ctx context.Context, archives []string, dir string) (err error) {
	work := dir + ".new"
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	// A socket's path is short by law, so it lies elsewhere.
	sockets, err := os.MkdirTemp("", "clusterup-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(sockets)) }()
	config, socket := filepath.Join(sockets, "config.toml"), filepath.Join(sockets, "c.sock")
	if err := os.WriteFile(config, []byte("version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n"), 0o600); err != nil {
		return err
	}
	containerd := command(ctx, "containerd", "--config", config, "--root", work, "--state", filepath.Join(sockets, "state"),
		"--address", socket, "--log-level", "warn")
	// Its mounts are its own, and it ends with us.
	containerd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if err := containerd.Start(); err != nil {
		return fmt.Errorf("start containerd for the images: %w", err)
	}
	defer func() {
		_ = containerd.Process.Signal(syscall.SIGTERM) // writes its database out
		err = errors.Join(err, containerd.Wait())
		if err == nil {
			err = os.Rename(work, dir)
		}
	}()
	err = converge.Until(ctx, "containerd for the images", 20*time.Second, func(ctx context.Context) (bool, string, error) {
		return listens(ctx, "unix", socket), "it does not listen yet", nil
	})
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, a := range archives {
		group.Go(func() error {
			return run(ctx, "", "ctr", "--address", socket, "--namespace", "k8s.io", "images", "import", a)
		})
	}
	return group.Wait()
}

// placeImages gives a node that has no containerd data yet a copy of the
// prepared folder. The databases are really copied, all else is linked.
func placeImages(ctx context.Context, unpacked, to string) error {
	if exists(to) {
		return nil
	}
	work := to + ".new"
	if err := errors.Join(os.RemoveAll(work), os.MkdirAll(filepath.Dir(to), 0o755)); err != nil {
		return err
	}
	how := "--link"
	if !sameDevice(unpacked, filepath.Dir(to)) {
		how = "--reflink=auto"
	}
	if err := run(ctx, "", "cp", "--archive", how, unpacked, work); err != nil {
		return fmt.Errorf("copy the images: %w", err)
	}
	err := filepath.WalkDir(unpacked, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".db" {
			return err
		}
		rel, err := filepath.Rel(unpacked, path)
		if err != nil {
			return err
		}
		return place(path, filepath.Join(work, rel), 0o600, false)
	})
	if err != nil {
		return fmt.Errorf("copy the images: %w", err)
	}
	return os.Rename(work, to)
}
