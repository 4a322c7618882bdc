// SPDX-License-Identifier: Apache-2.0

package terraform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/terraform-exec/tfexec"

	"clusterup.dev/clusterup/internal/converge"
)

// Plan is what Terraform would do, and the file in which Terraform keeps it.
type Plan struct {
	Changes []converge.Change
	File    string // empty when there is nothing to do
}

// Plan compares the module with its state and with reality. It takes no lock, so
// that it can be made beside another run; a plan that such a run overtook is
// refused when it is applied.
func (t *Terraform) Plan(ctx context.Context) (Plan, error) {
	if err := t.prepare(ctx); err != nil {
		return Plan{}, err
	}
	t.removeOldPlans()
	f, err := os.CreateTemp(t.config.WorkDir, "plan-*.tfplan")
	if err != nil {
		return Plan{}, fmt.Errorf("terraform plan: %w", err)
	}
	file := f.Name()
	if err := f.Close(); err != nil {
		return Plan{}, fmt.Errorf("terraform plan: %w", err)
	}
	p, err := t.plan(ctx, file)
	if err != nil || p.File == "" {
		_ = os.Remove(file)
	}
	return p, err
}

func (t *Terraform) plan(ctx context.Context, file string) (Plan, error) {
	vars, err := t.writeVars()
	if err != nil {
		return Plan{}, fmt.Errorf("terraform plan: %w", err)
	}
	defer func() { _ = os.Remove(vars) }()
	tf, err := t.command(nil)
	if err != nil {
		return Plan{}, err
	}
	events := newEvents(ctx)
	changed, err := tf.PlanJSON(ctx, events, tfexec.Out(file), tfexec.Lock(false), tfexec.VarFile(vars))
	if err == nil {
		err = events.misnamed()
	}
	if err != nil || !changed {
		return Plan{}, events.failure(ctx, "plan", err)
	}
	p := Plan{Changes: events.planned(), File: file}
	if len(p.Changes) == 0 { // something that no event names
		p.Changes = []converge.Change{{Subject: "Terraform state", Action: converge.Update}}
	}
	return p, nil
}

// varsPattern names the files that hold the variables of one call: two runs
// beside each other may differ in them.
const varsPattern = "clusterup-*.tfvars.json"

func (t *Terraform) writeVars() (path string, err error) {
	vars := t.config.Vars
	if vars == nil {
		vars = map[string]any{}
	}
	data, err := json.MarshalIndent(vars, "", "  ")
	if err != nil {
		return "", fmt.Errorf("variables: %w", err)
	}
	f, err := os.CreateTemp(t.config.WorkDir, varsPattern)
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	return f.Name(), errors.Join(err, f.Close())
}

// planLife is how long a plan that nobody applied, or what a killed run left, is
// kept.
const planLife = 24 * time.Hour

func (t *Terraform) removeOldPlans() {
	for _, pattern := range []string{"plan-*.tfplan", varsPattern} {
		files, _ := filepath.Glob(filepath.Join(t.config.WorkDir, pattern))
		for _, file := range files {
			if info, err := os.Stat(file); err == nil && time.Since(info.ModTime()) > planLife {
				_ = os.Remove(file)
			}
		}
	}
}

// Outputs are the module's outputs as they were last applied. Before that they
// are not there yet: converge.ErrNotYet.
func (t *Terraform) Outputs(ctx context.Context) (map[string]json.RawMessage, error) {
	if err := t.prepare(ctx); err != nil {
		return nil, err
	}
	tf, err := t.command(nil)
	if err != nil {
		return nil, err
	}
	meta, err := tf.Output(ctx)
	if err != nil {
		return nil, newEvents(ctx).failure(ctx, "output", err)
	}
	if len(meta) == 0 {
		return nil, fmt.Errorf("terraform output: %w", converge.ErrNotYet)
	}
	values := make(map[string]json.RawMessage, len(meta))
	for name, m := range meta {
		values[name] = m.Value
	}
	return values, nil
}
