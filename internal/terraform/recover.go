// SPDX-License-Identifier: Apache-2.0

package terraform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

var errUnknown = errors.New("this system does not tell")

// Holder is a proof of the run lock, which every writing run of clusterup holds.
type Holder interface {
	Check(ctx context.Context) error // whether it is held at this moment
	Since() time.Time                // when it was taken
}

// Recover cleans up after runs that were killed, and does nothing after one
// that ended. It is called when the run lock has been taken and before Plan: a
// command that still runs, or a state that was not stored, makes a plan wrong.
// readLock gives the content of Terraform's own lock, LockKey, and nothing when
// there is none.
func (t *Terraform) Recover(ctx context.Context, run Holder, readLock func(context.Context) ([]byte, error)) error {
	if err := run.Check(ctx); err != nil {
		return fmt.Errorf("recover terraform: %w", err)
	}
	runs, err := t.unfinished()
	if err != nil {
		return fmt.Errorf("recover terraform: %w", err)
	}
	for _, r := range runs {
		converge.Progress(ctx, "cleaning up after an interrupted Terraform")
		if err := t.end(ctx, r); err != nil {
			return fmt.Errorf("recover terraform: %w", err)
		}
	}
	if err := t.unlock(ctx, run, readLock); err != nil {
		return fmt.Errorf("recover terraform: %w", err)
	}
	if err := t.pushLeft(ctx); err != nil {
		return fmt.Errorf("recover terraform: %w", err)
	}
	return nil
}

// lockInfo is what Terraform writes into its lock. It has no expiry.
type lockInfo struct {
	ID  string `json:"ID"`
	Who string `json:"Who"` // "user@host"
}

// unlock frees Terraform's lock when nobody can be behind it. Runs of clusterup
// are kept out by the run lock, so it is a killed one's, or that of somebody who
// runs terraform by hand. On this machine that can be seen. Of another machine
// it is known that a run which lost the run lock interrupts its Terraform and
// kills it after its patience: so long has the run lock to be held.
func (t *Terraform) unlock(ctx context.Context, run Holder, readLock func(context.Context) ([]byte, error)) error {
	data, err := readLock(ctx)
	if err != nil || len(data) == 0 {
		return err
	}
	var lock lockInfo
	if err := json.Unmarshal(data, &lock); err != nil || lock.ID == "" {
		return fmt.Errorf("the lock %s is not one of Terraform's", LockKey)
	}
	if err := t.prepare(ctx); err != nil {
		return err
	}
	alive, err := true, errUnknown
	if host, nameErr := os.Hostname(); nameErr == nil && strings.HasSuffix(lock.Who, "@"+host) {
		alive, err = runsHere(t.sameState)
	}
	switch {
	case errors.Is(err, errUnknown):
		if err := t.outwait(ctx, run, lock); err != nil {
			return err
		}
	case err != nil:
		return err
	case alive:
		return hint.With(fmt.Errorf("%w by %s, whose terraform runs on this machine", ErrLocked, lock.Who), "let it end, and run this again")
	}
	if err := run.Check(ctx); err != nil {
		return err
	}
	converge.Progress(ctx, "freeing the Terraform lock of %s", lock.Who)
	tf, err := t.command(nil)
	if err != nil {
		return err
	}
	return newEvents(ctx).failure(ctx, "force-unlock", tf.ForceUnlock(ctx, lock.ID))
}

// outwait returns when the run lock has been held for longer than a run that
// lost it may still need to end its Terraform.
func (t *Terraform) outwait(ctx context.Context, run Holder, lock lockInfo) error {
	need := t.config.Patience + t.config.Patience/4
	what := fmt.Sprintf("a Terraform of %s to have ended", lock.Who)
	return converge.Until(ctx, what, 2*need, func(context.Context) (bool, string, error) {
		left := need - time.Since(run.Since())
		return left <= 0, left.Round(time.Second).String() + " to go", nil
	})
}

// sameState reports whether a folder is set up for this module's state.
func (t *Terraform) sameState(folder string) bool {
	if folder == t.module() {
		return true
	}
	ours, err := backendOf(t.module())
	theirs, theirErr := backendOf(folder)
	return err == nil && theirErr == nil && ours == theirs
}

// backend is where a state is, as `terraform init` notes it in its folder.
type backend struct {
	Bucket    string `json:"bucket"`
	Key       string `json:"key"`
	Endpoints struct {
		S3 string `json:"s3"`
	} `json:"endpoints"`
}

func backendOf(folder string) (backend, error) {
	var noted struct {
		Backend struct {
			Config backend `json:"config"`
		} `json:"backend"`
	}
	data, err := os.ReadFile(filepath.Join(folder, ".terraform", "terraform.tfstate"))
	if err != nil {
		return backend{}, err
	}
	err = json.Unmarshal(data, &noted)
	return noted.Backend.Config, err
}

// pushLeft stores the state that a run could not store when it ended.
func (t *Terraform) pushLeft(ctx context.Context) error {
	if _, err := os.Stat(t.left()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	converge.Progress(ctx, "storing the state that an interrupted Terraform left")
	if err := t.prepare(ctx); err != nil {
		return err
	}
	tf, err := t.command(nil)
	if err != nil {
		return err
	}
	if err := tf.StatePush(ctx, t.left()); err != nil {
		return hint.With(newEvents(ctx).failure(ctx, "state push", err),
			"when the bucket has a later state than %s, remove that file", t.left())
	}
	return os.Remove(t.left())
}
