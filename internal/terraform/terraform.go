// SPDX-License-Identifier: Apache-2.0

// Package terraform drives one Terraform module, whose state is in a bucket,
// through terraform-exec: plan, apply, outputs, destroy. It runs the terraform
// or tofu that is on the machine, streams its events as progress, gives it time
// when a run is interrupted, and cleans up after a run that was killed.
package terraform

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/terraform-exec/tfexec"

	"clusterup.dev/clusterup/internal/secret"
)

// Config says what to run and where.
type Config struct {
	Binary  string            // terraform or tofu; see Find
	WorkDir string            // of this program alone: module, plans, journal
	Module  fs.FS             // the root module; copied into WorkDir
	Backend map[string]string // of the S3 backend, without credentials; see S3
	// Env reaches Terraform and its provisioners: the credentials of the bucket.
	Env      map[string]secret.Value
	Vars     map[string]any // written to WorkDir, so never a secret
	Patience time.Duration  // between an interrupt and a kill; default a minute
}

// Terraform is one root module with one state. Its methods may be called side
// by side; those that write do so one after the other.
type Terraform struct{ config Config }

// New checks the configuration; nothing is run or written.
func New(c Config) (*Terraform, error) {
	if c.Binary == "" || c.WorkDir == "" || c.Module == nil {
		return nil, errors.New("terraform: binary, working folder and module are needed")
	}
	for _, path := range []*string{&c.Binary, &c.WorkDir} {
		abs, err := filepath.Abs(*path)
		if err != nil {
			return nil, fmt.Errorf("terraform: %w", err)
		}
		*path = abs
	}
	if c.Patience <= 0 {
		c.Patience = time.Minute
	}
	return &Terraform{c}, nil
}

// Where things are below WorkDir. Terraform itself runs in module.
func (t *Terraform) module() string { return filepath.Join(t.config.WorkDir, "module") }
func (t *Terraform) rcFile() string { return filepath.Join(t.config.WorkDir, "terraform.rc") }
func (t *Terraform) marker() string { return filepath.Join(t.config.WorkDir, "prepared.json") }
func (t *Terraform) left() string   { return filepath.Join(t.module(), "errored.tfstate") }

func (t *Terraform) journal(mark string) string {
	return filepath.Join(t.config.WorkDir, "run-"+mark+".json")
}

// command makes a new driver for each call: one that was used for JSON keeps
// the writer and spoils the next call.
func (t *Terraform) command(extra map[string]string) (*tfexec.Terraform, error) {
	tf, err := tfexec.NewTerraform(t.module(), t.config.Binary)
	if err != nil {
		return nil, fmt.Errorf("terraform: %w", err)
	}
	if err := errors.Join(tf.SetWaitDelay(t.config.Patience), tf.SetEnv(t.env(extra))); err != nil {
		return nil, fmt.Errorf("terraform: %w", err)
	}
	return tf, nil
}

// env is this program's environment without what would change Terraform's
// behaviour behind its back. With credentials of our own, nothing of the AWS
// account counts that the user's shell is set up for: a session token of there
// would go with our key.
func (t *Terraform) env(extra map[string]string) map[string]string {
	env := map[string]string{}
	_, own := t.config.Env["AWS_ACCESS_KEY_ID"]
	for _, pair := range os.Environ() {
		key, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(key, "TF_") && (!own || !strings.HasPrefix(key, "AWS_")) {
			env[key] = value
		}
	}
	env["CHECKPOINT_DISABLE"] = "1" // else every command asks the internet for news
	env["TF_CLI_CONFIG_FILE"] = t.rcFile()
	for key, value := range t.config.Env {
		env[key] = value.RevealString()
	}
	for key, value := range extra {
		env[key] = value
	}
	return tfexec.CleanEnv(env)
}
