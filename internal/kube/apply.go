// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/converge"
)

// goneFor and establishedFor bound the waits inside an apply.
const (
	goneFor        = 2 * time.Minute
	establishedFor = time.Minute
)

// Apply carries out p: stage by stage, side by side within a stage. What failed does
// not stop its stage, but no later one is begun. An object that has changed since
// it was planned, so that something else would have to be done, ends with
// converge.ErrStale and is left as it is.
func (c *Cluster) Apply(ctx context.Context, p *Plan) error {
	if p.refused != nil {
		return p.refused
	}
	guards, err := guardsOf(p.Objects)
	if err != nil {
		return err
	}
	byStage := make([][]*ObjectPlan, stages)
	todo := p.todo()
	for _, o := range todo {
		at := o.Ref.stage()
		if guards.before(o.wanted) {
			at = stageGuarded
		}
		byStage[at] = append(byStage[at], o)
	}
	var done atomic.Int64
	for at, objects := range byStage {
		if stage(at) == stageGuarded && len(objects) > 0 {
			if err := guards.await(ctx, c, p, objects); err != nil {
				return err
			}
		}
		err := each(ctx, objects, func(ctx context.Context, _ int, o *ObjectPlan) error {
			err := c.applyObject(ctx, o, p.options)
			if err == nil {
				converge.Progress(ctx, "applied %d of %d: %s", done.Add(1), len(todo), o.Ref)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) applyObject(ctx context.Context, p *ObjectPlan, options *Options) error {
	switch {
	case p.guessed:
		if err := c.catchUp(ctx, p, options); err != nil || p.Action == "" {
			return err
		}
	case p.Action == converge.Replace:
		if err := c.remove(ctx, p, options); err != nil {
			return err
		}
		p = &ObjectPlan{Ref: p.wanted.Ref, Action: converge.Create, wanted: p.wanted, sent: p.wanted}
	case p.going:
		if err := c.untilGone(ctx, p.wanted.resource, p.Ref, goneFor); err != nil {
			return err
		}
	}
	if p.Action == converge.Create {
		p.basis = noVersion
	}
	looks := 0
	err := persist(ctx, p.Ref, func(ctx context.Context) error {
		made, err := c.patch(ctx, p.sent, patch{force: p.force, basis: p.basis})
		if err == nil {
			p.wanted.became(made, options)
		}
		if !apierrors.IsConflict(err) {
			return err
		}
		if conflicts := conflictsIn(err); len(conflicts) > 0 {
			return fmt.Errorf("%w: %w", &ConflictError{Ref: p.Ref, Conflicts: conflicts}, converge.ErrStale)
		}
		if looks++; looks > maxLooks {
			return fmt.Errorf("it changes too fast: %w", converge.ErrStale)
		}
		return c.rebase(ctx, p, options)
	})
	var conflict *ConflictError
	var refused refusedError
	switch {
	case err == nil && isCRD(p.Ref):
		return c.established(ctx, p.wanted)
	case err == nil, errors.As(err, &conflict), errors.As(err, &refused):
		return err
	}
	return explain(p.Ref, err)
}

// noVersion is a resourceVersion that no object has: the first is that of an empty store.
// With it a patch makes an object that is not there, and is refused, as one on an
// old version is, where somebody made it since it was planned. Environments share
// one field manager, so that the server would see no other conflict between them.
const noVersion = "1"

// errMoved asks for the patch to be sent again on a new basis.
var errMoved = apierrors.NewTimeoutError("it has changed, but not in what is planned", 0)

// rebase looks at an object that has changed since it was planned. If the same still
// has to be done (only its status moved, say), that is done on the new basis; if
// nothing is left to do, that is success: an answer got lost, or somebody did it.
func (c *Cluster) rebase(ctx context.Context, p *ObjectPlan, options *Options) error {
	live, err := c.get(ctx, p.wanted)
	if err != nil {
		return err
	}
	again, err := c.planObject(ctx, p.wanted, live, nil, options)
	switch {
	case err != nil:
		return err
	case again.Action == "":
		return nil
	case p.Action == converge.Create && again.Action == converge.Update && !again.force:
		// Somebody made it meanwhile, as a controller does in a new namespace, and holds
		// no other value of any field.
	case again.Action != p.Action || again.Ref.UID != p.Ref.UID || !reflect.DeepEqual(again.Fields, p.Fields):
		return converge.ErrStale
	}
	p.basis, p.force, p.sent = again.basis, again.force, again.sent
	return errMoved
}

// established waits until the server serves the kinds of a CRD.
func (c *Cluster) established(ctx context.Context, crd *object) error {
	err := converge.Until(ctx, crd.String(), establishedFor, func(ctx context.Context) (bool, string, error) {
		live, err := c.get(ctx, crd)
		if err != nil || live == nil {
			return false, "not there", unlessPassing(crd.Ref, err)
		}
		if refused, why := condition(live, "NamesAccepted"); refused == "False" {
			return false, "", converge.Permanent(fmt.Errorf("%s: its names are taken: %s", crd.Ref, why))
		}
		crd.defines(live)
		state, why := condition(live, "Established")
		return state == "True", "not established: " + why, nil
	})
	if err == nil {
		c.kinds.learn(crd.body)
	}
	return err
}

// condition gives the status and the message of a condition; "" when it is not there.
func condition(u *unstructured.Unstructured, kind string) (status, message string) {
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, item := range conditions {
		if c, ok := item.(map[string]any); ok && c["type"] == kind {
			status, _ = c["status"].(string)
			message, _ = c["message"].(string)
			return status, message
		}
	}
	return "", ""
}
