// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"

	"clusterup.dev/clusterup/internal/converge"
)

// step is a converge.Step made of functions, for the steps that are a few lines
// over one package.
type step struct {
	name    string
	plan    func(ctx context.Context) (converge.Plan, error)
	apply   func(ctx context.Context, p converge.Plan) error
	destroy func(ctx context.Context) error // nil: nothing to remove
}

func (s step) Name() string { return s.name }

func (s step) Plan(ctx context.Context) (converge.Plan, error) { return s.plan(ctx) }

func (s step) Apply(ctx context.Context, p converge.Plan) error {
	if p.Empty() {
		return nil
	}
	return s.apply(ctx, p)
}

func (s step) Destroy(ctx context.Context) error {
	if s.destroy == nil {
		return nil
	}
	return s.destroy(ctx)
}
