// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"clusterup.dev/clusterup/internal/converge"
)

// DeleteOptions bound a deletion. The zero value waits five minutes in all.
type DeleteOptions struct {
	Wait time.Duration
}

// deletion is one object to be deleted.
type deletion struct {
	Ref
	resource resource
}

// Delete removes what refs name and waits until it is gone: webhooks first, so that
// they refuse nothing, then custom resources while their controllers still run, then
// workloads, the rest, namespaces, and CRDs. What is absent, or there with another
// UID, counts as gone. What is left at the end is named, with what holds it.
func (c *Cluster) Delete(ctx context.Context, refs []Ref, o DeleteOptions) error {
	if o.Wait == 0 {
		o.Wait = defaultTimeout
	}
	deadline := time.Now().Add(o.Wait)
	groups, err := c.deletions(ctx, refs)
	if err != nil {
		return err
	}
	for _, group := range groups {
		slices.SortFunc(group, func(a, b deletion) int { return compareRefs(a.Ref, b.Ref) })
		if err := each(ctx, group, func(ctx context.Context, _ int, d deletion) error { return c.delete(ctx, d) }); err != nil {
			return err
		}
		err := each(ctx, group, func(ctx context.Context, _ int, d deletion) error {
			return c.untilGone(ctx, d.resource, d.Ref, max(time.Until(deadline), time.Second))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// deletions sorts refs into groups that go one after the other. A kind that is not
// served at any version has no objects.
func (c *Cluster) deletions(ctx context.Context, refs []Ref) ([][]deletion, error) {
	var gvks []schema.GroupVersionKind
	for _, r := range refs {
		if !slices.Contains(gvks, r.gvk()) {
			gvks = append(gvks, r.gvk())
		}
	}
	served, err := c.kinds.locate(ctx, gvks)
	if err != nil {
		return nil, err
	}
	groups := make([][]deletion, lastOut+1)
	for _, r := range refs {
		if res, ok := served[r.gvk()]; ok {
			groups[leaving(r)] = append(groups[leaving(r)], deletion{Ref: r, resource: res})
		}
	}
	return groups, nil
}

// lastOut is the group of those that go last.
const lastOut = 5

func leaving(r Ref) int {
	switch {
	case r.stage() == stageWebhooks:
		return 0
	case isCustom(r):
		return 1
	case r.stage() == stageWorkloads:
		return 2
	case isCRD(r):
		return lastOut
	case isNamespace(r):
		return 4
	}
	return 3
}

// propagation waits for dependents only where there can be some: it costs a turn of the
// garbage collector.
func propagation(r Ref) metav1.DeletionPropagation {
	if isCustom(r) || r.stage() == stageWorkloads {
		return metav1.DeletePropagationForeground
	}
	return metav1.DeletePropagationBackground
}

func (c *Cluster) delete(ctx context.Context, d deletion) error {
	options := metav1.DeleteOptions{PropagationPolicy: new(propagation(d.Ref))}
	if d.UID != "" {
		options.Preconditions = &metav1.Preconditions{UID: new(types.UID(d.UID))}
	}
	return persist(ctx, d.Ref, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		err := c.client(d.resource, d.Namespace).Delete(ctx, d.Name, options)
		switch {
		case err == nil:
			converge.Progress(ctx, "deleting %s", d.Ref)
			return nil
		case apierrors.IsNotFound(err), apierrors.IsConflict(err) && d.UID != "":
			return nil
		}
		return explain(d.Ref, err)
	})
}
