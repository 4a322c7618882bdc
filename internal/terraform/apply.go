// SPDX-License-Identifier: Apache-2.0

package terraform

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/hashicorp/terraform-exec/tfexec"

	"clusterup.dev/clusterup/internal/converge"
)

// Apply carries out a plan, and refuses with converge.ErrStale one that the
// state has moved on from. The caller holds the run lock. When ctx ends,
// Terraform is interrupted and given its patience: it saves what is done and
// frees its lock.
func (t *Terraform) Apply(ctx context.Context, p Plan) error {
	if p.File == "" {
		return nil
	}
	if _, err := os.Stat(p.File); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("terraform apply: the plan was applied already: %w", converge.ErrStale)
	}
	err := t.write(ctx, "apply", func(ctx context.Context, tf *tfexec.Terraform, w io.Writer) error {
		return tf.ApplyJSON(ctx, w, tfexec.DirOrPlan(p.File))
	})
	return errors.Join(err, os.Remove(p.File))
}

// Destroy removes everything that is in the state. An empty or absent state is
// success. The caller holds the run lock.
func (t *Terraform) Destroy(ctx context.Context) error {
	return t.write(ctx, "destroy", func(ctx context.Context, tf *tfexec.Terraform, w io.Writer) error {
		vars, err := t.writeVars()
		if err != nil {
			return err
		}
		defer func() { _ = os.Remove(vars) }()
		return tf.DestroyJSON(ctx, w, tfexec.VarFile(vars))
	})
}

// write runs an operation that changes things, under a journal that lets the
// next run end what this one leaves behind if it is killed.
func (t *Terraform) write(ctx context.Context, operation string, do func(context.Context, *tfexec.Terraform, io.Writer) error) error {
	if err := t.prepare(ctx); err != nil {
		return err
	}
	r, err := t.begin()
	if err != nil {
		return fmt.Errorf("terraform %s: %w", operation, err)
	}
	tf, err := t.command(r.env())
	if err != nil {
		return err
	}
	events := newEvents(ctx)
	if err := do(ctx, tf, events); err != nil {
		// Terraform has ended, and its provisioners' shells with it, but not
		// what those started.
		cleanup := t.end(context.WithoutCancel(ctx), r)
		return errors.Join(events.failure(ctx, operation, err), cleanup)
	}
	return t.forget(r)
}
