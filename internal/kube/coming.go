// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/crd"
	"clusterup.dev/clusterup/internal/fieldpath"
	"clusterup.dev/clusterup/internal/hint"
)

// comingKinds are kinds that are defined by the set that is prepared, or by something
// else that is applied before it, served or not.
type comingKinds struct {
	resources   map[schema.GroupVersionKind]resource
	definitions map[schema.GroupKind]*unstructured.Unstructured
	read        map[schema.GroupKind]*crd.Definition
}

func (k *comingKinds) add(definition *unstructured.Unstructured) {
	if k.resources == nil {
		k.resources = make(map[schema.GroupVersionKind]resource)
		k.definitions = make(map[schema.GroupKind]*unstructured.Unstructured)
		k.read = make(map[schema.GroupKind]*crd.Definition)
	}
	for gvk, r := range kindsOf(definition) {
		k.resources[gvk] = r
		k.definitions[gvk.GroupKind()] = definition
	}
}

// place finds where o will be served. Where another version of its kind is served
// already, o is read there until its own is.
func (k *comingKinds) place(o *object, served *kinds) bool {
	r, ok := k.resources[o.gvk()]
	if !ok {
		return false
	}
	o.resource = r
	if old, ok := served.another(o.gvk().GroupKind()); ok {
		o.resource, o.later, o.served = old, &r, true
	}
	return true
}

// check checks an object whose kind is not served yet by its definition.
func (k *comingKinds) check(o *object) error {
	d, err := k.definition(o.gvk().GroupKind())
	if err == nil {
		err = d.Check(o.body)
	}
	if err != nil {
		return hint.With(fmt.Errorf("%s: %w", o.Ref, err), "correct the manifest, or its CustomResourceDefinition")
	}
	return nil
}

func (k *comingKinds) definition(kind schema.GroupKind) (*crd.Definition, error) {
	if d := k.read[kind]; d != nil {
		return d, nil
	}
	d, err := crd.Parse(k.definitions[kind])
	if err == nil {
		k.read[kind] = d
	}
	return d, err
}

// another is a version of a kind that is served, whichever.
func (k *kinds) another(kind schema.GroupKind) (resource, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for gvk, r := range k.known {
		if gvk.GroupKind() == kind {
			return r, true
		}
	}
	return resource{}, false
}

// target is where o is applied.
func (o *object) target() resource {
	if o.later != nil {
		return *o.later
	}
	return o.resource
}

// ahead reports whether what the server refuses is only not right yet: the definition
// of the kind is about to change, and by the new one the object is as it should be.
func (c *Cluster) ahead(ctx context.Context, o *object, refusal error) (bool, error) {
	if o.definition == nil || !refusedAsWritten(refusal) {
		return false, nil
	}
	live, err := c.Get(ctx, RefOf(o.definition))
	if err != nil || live == nil || sameSchemas(live, o.definition) {
		return false, err
	}
	if err := crd.Check(o.definition, o.body); err != nil {
		return false, hint.With(fmt.Errorf("%s: %w", o.Ref, err), "correct the manifest, or its CustomResourceDefinition")
	}
	return true, nil
}

// refusedAsWritten reports whether err is about the fields of an object.
func refusedAsWritten(err error) bool {
	return err != nil && (apierrors.IsBadRequest(err) || apierrors.IsInvalid(err) || strings.Contains(err.Error(), "typed patch object"))
}

func sameSchemas(a, b *unstructured.Unstructured) bool {
	x, _, _ := unstructured.NestedSlice(a.Object, "spec", "versions")
	y, _, _ := unstructured.NestedSlice(b.Object, "spec", "versions")
	schemas := func(versions []any) map[any]any {
		all := make(map[any]any, len(versions))
		for _, v := range versions {
			if m, ok := v.(map[string]any); ok {
				all[fieldpath.Text(m["name"])] = m["schema"]
			}
		}
		return all
	}
	return reflect.DeepEqual(schemas(x), schemas(y))
}

// unanswered says which webhook the server failed to call; "" when it did not fail so.
func unanswered(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Code < 500 {
		return ""
	}
	_, rest, ok := strings.Cut(err.Error(), `failed calling webhook "`)
	name, _, closed := strings.Cut(rest, `"`)
	if !ok || !closed {
		return ""
	}
	return name
}

// undecided is the plan where the server refuses to say what would become of live:
// for good, or because something is applied first.
func (c *Cluster) undecided(ctx context.Context, p ObjectPlan, live *unstructured.Unstructured, refusal error) (ObjectPlan, error) {
	if name := unanswered(refusal); name != "" {
		p = p.blind(live, "webhook "+name+" does not answer")
		if len(p.Fields) == 0 {
			p.Action = "" // as far as can be seen
		}
		return p, nil
	}
	switch ahead, err := c.ahead(ctx, p.wanted, refusal); {
	case err != nil:
		return p, err
	case ahead:
		return p.blind(live, "its definition changes first"), nil
	}
	return p, explain(p.Ref, refusal)
}

// blind fills p without the server, which cannot say: p is looked at again when it
// is carried out.
func (p ObjectPlan) blind(live *unstructured.Unstructured, because string) ObjectPlan {
	p.Ref, p.basis, p.guessed = RefOf(live), live.GetResourceVersion(), true
	p.Note = because + ": compared without the server"
	p.Fields = differences(live, simulated(live, p.sent.body))
	return p
}

// catchUp plans anew what was planned blind, now that it can be compared. It waits for
// a definition to take effect, and for a webhook to answer.
func (c *Cluster) catchUp(ctx context.Context, p *ObjectPlan, options *Options) error {
	o := *p.wanted
	o.resource, o.later = o.target(), nil
	var last error
	err := converge.Until(ctx, p.Ref.String(), transientFor, func(ctx context.Context) (bool, string, error) {
		live, err := c.get(ctx, &o)
		if err != nil {
			last = err
			return false, "", unlessPassing(p.Ref, err)
		}
		if live == nil && p.wanted.later != nil {
			last = nil
			return false, "its version is not served yet", nil
		}
		var again ObjectPlan
		if again, last = c.planObject(ctx, &o, live, nil, options); last == nil && !again.guessed {
			if again.Action != "" && again.Action != p.Action {
				return false, "", converge.Permanent(fmt.Errorf("%s: %w", p.Ref, converge.ErrStale))
			}
			*p = again
			return true, "", nil
		}
		if last == nil {
			return false, again.Note, nil
		}
		if refusedAsWritten(last) { // the server takes a moment to see a changed definition
			return false, "", last
		}
		return false, "", unlessPassing(p.Ref, last)
	})
	var timeout *converge.TimeoutError
	if errors.As(err, &timeout) && last != nil {
		return last
	}
	return err
}
