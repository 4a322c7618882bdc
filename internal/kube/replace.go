// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

// fixedField is how Kubernetes says that a field cannot be changed.
var fixedField = regexp.MustCompile(`(?i)immutable|(?:may|must|can|cannot) ?not (?:be )?change|cannot (?:be )?change|updates to .* are forbidden|updates may not change`)

// fixedIn are the fields that err refuses only because the object exists with another
// value: were it made anew, they would be accepted. None means that err is
// something else, or something else as well. A custom resource has none: what its
// rules refuse, they may refuse for any reason.
func fixedIn(r Ref, err error) []string {
	var status apierrors.APIStatus
	if isCustom(r) || !apierrors.IsInvalid(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return nil
	}
	var fields []string
	for _, cause := range status.Status().Details.Causes {
		if !fixedField.MatchString(cause.Message) {
			return nil
		}
		fields = append(fields, cause.Field)
	}
	slices.Sort(fields)
	return slices.Compact(fields)
}

// neverReplaced are the kinds that take others, or data, along when they go.
func neverReplaced(r Ref) bool {
	return isNamespace(r) || isCRD(r) || r.APIVersion == "v1" && (r.Kind == "PersistentVolumeClaim" || r.Kind == "PersistentVolume")
}

// takesVolumes reports whether the volumes of a StatefulSet go with it: a replacement
// would come up empty.
func takesVolumes(live *unstructured.Unstructured) bool {
	policy, _, _ := unstructured.NestedString(live.Object, "spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted")
	r := RefOf(live)
	return r.gvk().Group == "apps" && r.Kind == "StatefulSet" && policy == "Delete"
}

// replacement plans to make live anew where that is allowed: fields of it cannot be
// changed, as the server says in err.
func (p ObjectPlan) replacement(live *unstructured.Unstructured, fields []string, conflicts []Conflict, options *Options) (ObjectPlan, error) {
	if others := foreign(conflicts); len(others) > 0 {
		return p, (&ConflictError{Ref: p.Ref, Conflicts: others}).hinted()
	}
	names := strings.Join(fields, ", ")
	err := fmt.Errorf("%s: %s cannot be changed while it exists (the field is immutable)", p.Ref, names)
	switch {
	case neverReplaced(p.Ref):
		return p, hint.With(err, "put the old value back into the manifest: a %s is never deleted to be made anew", p.Ref.Kind)
	case takesVolumes(live):
		return p, hint.With(fmt.Errorf("%w, and its volumes are deleted with it (persistentVolumeClaimRetentionPolicy.whenDeleted is Delete)", err),
			"set whenDeleted: Retain and nothing else, and run; make the other change then")
	case options.Replace == nil || !options.Replace(p.Ref):
		return p, hint.With(err, "list %s/%s under `replace:` in the addon.yaml of its add-on, or delete it by hand: then it is made anew", p.Ref.Kind, p.Ref.Name)
	}
	p.Action, p.basis = converge.Replace, live.GetResourceVersion()
	p.Note = names + " cannot be changed: it is deleted and made anew"
	p.Fields = differences(live, simulated(live, p.sent.body))
	return p, nil
}

// remove deletes the object that p replaces, if it is still the one that was planned
// for, and waits until it is gone. What is gone already is not deleted again: a
// run that died between the two goes on from there.
func (c *Cluster) remove(ctx context.Context, p *ObjectPlan, options *Options) error {
	looks := 0
	err := persist(ctx, p.Ref, func(ctx context.Context) error {
		err := c.deleteExactly(ctx, p)
		switch {
		case err == nil || apierrors.IsNotFound(err):
			return nil
		case !apierrors.IsConflict(err):
			return err
		}
		if looks++; looks > maxLooks {
			return fmt.Errorf("it changes too fast: %w", converge.ErrStale)
		}
		return c.still(ctx, p, options)
	})
	if err != nil {
		return explain(p.Ref, err)
	}
	converge.Progress(ctx, "deleting %s, to make it anew", p.Ref)
	return c.untilGone(ctx, p.wanted.resource, p.Ref, goneFor)
}

func (c *Cluster) deleteExactly(ctx context.Context, p *ObjectPlan) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return c.client(p.wanted.resource, p.Ref.Namespace).Delete(ctx, p.Ref.Name, metav1.DeleteOptions{
		PropagationPolicy: new(propagation(p.Ref)),
		Preconditions:     &metav1.Preconditions{UID: new(types.UID(p.Ref.UID)), ResourceVersion: &p.basis},
	})
}

// still looks at an object that has changed since its replacement was planned. If
// the same still has to be done, the deletion is to be sent again on the new basis.
func (c *Cluster) still(ctx context.Context, p *ObjectPlan, options *Options) error {
	live, err := c.get(ctx, p.wanted)
	switch {
	case err != nil:
		return err
	case live == nil || string(live.GetUID()) == p.Ref.UID && live.GetDeletionTimestamp() != nil:
		return nil // an answer got lost, or somebody did it
	case string(live.GetUID()) != p.Ref.UID:
		return converge.ErrStale
	}
	again, err := c.planObject(ctx, p.wanted, live, nil, options)
	if err != nil {
		return err
	}
	if again.Action != converge.Replace || !reflect.DeepEqual(again.Fields, p.Fields) {
		return converge.ErrStale
	}
	p.basis = again.basis
	return errMoved
}
