// SPDX-License-Identifier: Apache-2.0

package terraform

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"clusterup.dev/clusterup/internal/converge"
)

// runVariable marks, in their environment, all processes that one run starts.
const runVariable = "CLUSTERUP_TERRAFORM_RUN"

// run is the journal of an operation under way. When this program is killed,
// the system ends terraform with it, but a provisioner's command goes on. The
// next run finds such a command by the mark in its environment, which no other
// process can have, also when its process number is used again. What a command
// has put into a session of its own is meant to stay, and stays.
type run struct {
	Mark    string    `json:"mark"`
	Session int       `json:"session"` // of this program, inherited by commands
	Started time.Time `json:"started"`
}

func (r run) env() map[string]string { return map[string]string{runVariable: r.Mark} }

// begin writes the journal before anything is started. Each run has a file of
// its own, so that none hides that an earlier one was killed.
func (t *Terraform) begin() (run, error) {
	session, err := sessionID()
	if err != nil {
		return run{}, err
	}
	r := run{Mark: rand.Text(), Session: session, Started: time.Now().UTC()}
	data, err := json.Marshal(r)
	if err != nil {
		return run{}, err
	}
	return r, writeFile(t.journal(r.Mark), data)
}

// unfinished are the runs that were under way when their program was killed.
func (t *Terraform) unfinished() ([]run, error) {
	files, err := filepath.Glob(t.journal("*"))
	if err != nil {
		return nil, err
	}
	runs := make([]run, len(files))
	for i, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(data, &runs[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return runs, nil
}

func (t *Terraform) forget(r run) error {
	if err := os.Remove(t.journal(r.Mark)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("terraform: %w", err)
	}
	return nil
}

const (
	politely = 10 * time.Second // for a command to end when it is asked to
	firmly   = 10 * time.Second // for it to be gone when it is made to
)

// end ends what a run has left behind and forgets the run.
func (t *Terraform) end(ctx context.Context, r run) error {
	const what = "the commands of an interrupted Terraform"
	if _, err := signalRun(r, syscall.SIGTERM); err != nil {
		return err
	}
	gone := func(again syscall.Signal) converge.Check {
		return func(context.Context) (bool, string, error) {
			left, err := signalRun(r, again)
			return err == nil && left == 0, fmt.Sprintf("%d processes", left), err
		}
	}
	if converge.Until(ctx, what, politely, gone(0)) != nil {
		if err := converge.Until(ctx, what, firmly, gone(syscall.SIGKILL)); err != nil {
			return err
		}
	}
	return t.forget(r)
}
