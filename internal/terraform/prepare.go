// SPDX-License-Identifier: Apache-2.0

package terraform

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/hashicorp/terraform-exec/tfexec"

	"clusterup.dev/clusterup/internal/converge"
)

// What this package adds to a module. An override file gives it a backend
// whether or not it names one.
const (
	overrideFile = "clusterup_override.tf.json"
	override     = `{"terraform":{"backend":{"s3":{}}}}` + "\n"
	rc           = "disable_checkpoint = true\ndisable_checkpoint_signature = true\n"
)

// prepared is what the last `terraform init` was run for.
type prepared struct {
	Files  []string `json:"files"` // of the module, so that one that goes away is removed
	Digest string   `json:"digest"`
}

// prepare brings WorkDir up to date and runs `terraform init` only when
// something that it depends on has changed: the module, the backend or the
// binary.
func (t *Terraform) prepare(ctx context.Context) error {
	if err := os.MkdirAll(t.module(), 0o700); err != nil {
		return fmt.Errorf("prepare terraform: %w", err)
	}
	unlock, err := lockFile(filepath.Join(t.config.WorkDir, "prepare.lock"))
	if err != nil {
		return fmt.Errorf("prepare terraform: %w", err)
	}
	defer unlock()
	var was prepared
	if data, err := os.ReadFile(t.marker()); err == nil {
		_ = json.Unmarshal(data, &was) // a broken marker means: again
	}
	now, err := t.copyModule(was)
	if err != nil {
		return fmt.Errorf("prepare terraform: %w", err)
	}
	if _, err := os.Stat(filepath.Join(t.module(), ".terraform", "terraform.tfstate")); err == nil && now.Digest == was.Digest {
		return nil
	}
	converge.Progress(ctx, "preparing Terraform")
	if err := t.init(ctx); err != nil {
		return err
	}
	data, err := json.Marshal(now)
	if err != nil {
		return err
	}
	return writeFile(t.marker(), data)
}

// init discards what an earlier backend left: the state is in the bucket alone.
func (t *Terraform) init(ctx context.Context) error {
	tf, err := t.command(nil)
	if err != nil {
		return err
	}
	options := []tfexec.InitOption{tfexec.Reconfigure(true)}
	for _, key := range slices.Sorted(maps.Keys(t.config.Backend)) {
		options = append(options, tfexec.BackendConfig(key+"="+t.config.Backend[key]))
	}
	events := newEvents(ctx)
	err = tf.InitJSON(ctx, events, options...)
	return events.failure(ctx, "init", err)
}

// copyModule writes the module's files that differ, and the override, and gives
// the digest of everything that init depends on.
func (t *Terraform) copyModule(was prepared) (prepared, error) {
	files := map[string][]byte{overrideFile: []byte(override)}
	err := fs.WalkDir(t.config.Module, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[path], err = fs.ReadFile(t.config.Module, path)
		return err
	})
	if err != nil {
		return prepared{}, err
	}
	now := prepared{Files: slices.Sorted(maps.Keys(files))}
	digest := sha256.New()
	for _, path := range now.Files {
		fmt.Fprintf(digest, "%q %x\n", path, sha256.Sum256(files[path]))
		if err := writeFile(filepath.Join(t.module(), filepath.FromSlash(path)), files[path]); err != nil {
			return prepared{}, err
		}
	}
	for _, path := range was.Files {
		if _, kept := files[path]; !kept && filepath.IsLocal(path) {
			if err := os.Remove(filepath.Join(t.module(), path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return prepared{}, err
			}
		}
	}
	binary, err := os.Stat(t.config.Binary)
	if err != nil {
		return prepared{}, err
	}
	fmt.Fprintf(digest, "%s %d %s\n%q\n", t.config.Binary, binary.Size(), binary.ModTime(), fmt.Sprint(t.config.Backend))
	now.Digest = fmt.Sprintf("%x", digest.Sum(nil))

	return now, writeFile(t.rcFile(), []byte(rc))
}

// writeFile replaces a file at once, and only when it differs.
func writeFile(path string, data []byte) error {
	if there, err := os.ReadFile(path); err == nil && bytes.Equal(there, data) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	part := path + ".part"
	if err := os.WriteFile(part, data, 0o600); err != nil {
		return err
	}
	return os.Rename(part, path)
}

// lockFile keeps two processes from preparing one folder at the same time. The
// system frees it when its holder dies.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}
