// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/converge"
)

// Options of a plan. The zero value is the usual one.
type Options struct {
	// Refuse says why a live object must not be touched; nil means that none is
	// refused. Its error is the plan's, or that of carrying it out: it is asked
	// whenever an object is looked at again. It may look at the metadata alone: of an
	// object that nobody has written to, nothing else is read.
	Refuse func(live *unstructured.Unstructured) error
	// Replace says which objects may be deleted and made anew where a field
	// cannot be changed. Nil means none.
	Replace func(Ref) bool
	// Ignore gives the fields of an object that others write once it exists, as
	// "spec.replicas" or "webhooks[name=x].clientConfig.caBundle". Nil means none.
	Ignore func(Ref) []string
	// Coming are CustomResourceDefinitions that something else makes before p is
	// applied: their kinds are known, though perhaps not yet served.
	Coming []*unstructured.Unstructured
	// Wait bounds the wait for webhooks of the set itself, which has to be over before
	// custom resources are applied that they are called for.
	Wait WaitOptions
	// Observed is what earlier runs saw of these objects; this plan, and carrying it
	// out, add to it. Nil means that nothing is remembered.
	Observed *Observed
}

// Plan is what has to be done so that objects are as they are wanted.
type Plan struct {
	Objects []ObjectPlan // one for each object, in the order in which they were given
	options *Options
	refused error // it may not be carried out: others hold fields
}

// ObjectPlan is the plan of one object.
type ObjectPlan struct {
	Ref    Ref             // of the live object, UID included, where there is one
	Action converge.Action // Create, Update or Replace; "" when it is as wanted
	Note   string
	Fields []converge.Field

	wanted  *object
	sent    *object // wanted, without what is others' business in the live object
	basis   string  // resourceVersion of the live object; "" when there is none
	going   bool    // the live object is being deleted and has to be gone first
	force   bool    // fields of managers that may be overridden are taken over
	guessed bool    // the server could not be asked: it is looked at again before it is carried out
}

// Empty reports whether everything is as wanted.
func (p *Plan) Empty() bool { return len(p.todo()) == 0 }

// Changes are the objects that are not as wanted.
func (p *Plan) Changes() []converge.Change {
	var changes []converge.Change
	for _, o := range p.todo() {
		changes = append(changes, converge.Change{Subject: o.Ref.String(), Action: o.Action, Note: o.Note, Fields: o.Fields})
	}
	return changes
}

func (p *Plan) todo() []*ObjectPlan {
	var todo []*ObjectPlan
	for i := range p.Objects {
		if p.Objects[i].Action != "" {
			todo = append(todo, &p.Objects[i])
		}
	}
	return todo
}

// Plan compares objs with the cluster and changes nothing. What exists is compared
// by a server-side dry-run, so defaults, and fields of others, are no difference;
// what does not exist, or whose kind or namespace is still to be made, is created.
// Where a manager that may not be overridden holds a field, the error is a
// *ConflictError, and the plan is complete all the same.
func (c *Cluster) Plan(ctx context.Context, objs []*unstructured.Unstructured, options Options) (*Plan, error) {
	objects, err := c.prepare(ctx, objs, options.Coming...)
	if err != nil {
		return nil, err
	}
	remembering(objects, &options)
	seen, err := c.survey(ctx, objects, options.Observed)
	if err != nil {
		return nil, err
	}
	plan := &Plan{Objects: make([]ObjectPlan, len(objects)), options: &options}
	going := goingNamespaces(objects, seen)
	err = each(ctx, objects, func(ctx context.Context, i int, o *object) error {
		var err error
		s := seen[o.key()]
		if s.asWanted && !going[o.Namespace] {
			if err := options.refuse(s.live); err != nil {
				return err
			}
			plan.Objects[i] = ObjectPlan{Ref: RefOf(s.live), wanted: o, sent: o, basis: s.live.GetResourceVersion()}
			return nil
		}
		plan.Objects[i], err = c.planObject(ctx, o, s.live, going, &options)
		return err
	})
	plan.refused = err
	return plan, err
}

// refusedError is what Refuse says: it names the object.
type refusedError struct{ error }

func (e refusedError) Unwrap() error { return e.error }

func (o *Options) refuse(live *unstructured.Unstructured) error {
	if live == nil || o.Refuse == nil {
		return nil
	}
	if err := o.Refuse(live); err != nil {
		return refusedError{err}
	}
	return nil
}

// goingNamespaces are the wanted namespaces that are being deleted: all in them goes too.
func goingNamespaces(objects []*object, seen map[key]sight) map[string]bool {
	going := make(map[string]bool)
	for _, o := range objects {
		if u := seen[o.key()].live; u != nil && isNamespace(o.Ref) && u.GetDeletionTimestamp() != nil {
			going[o.Name] = true
		}
	}
	return going
}

func (c *Cluster) planObject(ctx context.Context, o *object, live *unstructured.Unstructured, going map[string]bool, options *Options) (ObjectPlan, error) {
	p := ObjectPlan{Ref: o.Ref, Action: converge.Create, wanted: o, sent: o}
	if err := options.refuse(live); err != nil {
		return p, err
	}
	switch {
	case live == nil:
		return p, nil
	case live.GetDeletionTimestamp() != nil || going[o.Namespace]:
		p.Note, p.going = "the old one is being deleted", true
		return p, nil
	}
	return c.compare(ctx, p, live, options)
}

// compare fills p by a dry-run over live. When live changes under it, it looks again.
func (c *Cluster) compare(ctx context.Context, p ObjectPlan, live *unstructured.Unstructured, options *Options) (ObjectPlan, error) {
	p.Action, p.Ref = converge.Update, RefOf(live)
	for range maxLooks {
		var err error
		if p.sent, err = ignoring(p.wanted, live, options); err != nil {
			return p, err
		}
		if p.wanted.later != nil {
			return p.blind(live, "its version is not served yet"), nil
		}
		after, err := c.patch(ctx, p.sent, patch{dryRun: true})
		conflicts := conflictsIn(err)
		if len(conflicts) > 0 {
			after, err = c.patch(ctx, p.sent, patch{dryRun: true, force: true})
		}
		if fixed := fixedIn(p.Ref, err); len(fixed) > 0 {
			return p.replacement(live, fixed, conflicts, options)
		}
		if err != nil {
			return c.undecided(ctx, p, live, err)
		}
		if after.GetUID() == live.GetUID() && after.GetResourceVersion() == live.GetResourceVersion() {
			return p.fill(live, after, conflicts)
		}
		if live, err = c.get(ctx, p.wanted); err != nil {
			return p, err
		}
		if live == nil || live.GetDeletionTimestamp() != nil {
			return p, fmt.Errorf("%s was deleted while it was looked at: %w", p.Ref, converge.ErrStale)
		}
		if err := options.refuse(live); err != nil {
			return p, err
		}
	}
	return p, fmt.Errorf("%s changes too fast to be compared: %w", p.Ref, converge.ErrStale)
}

// maxLooks is how often an object that changes meanwhile is looked at again.
const maxLooks = 8

func (p ObjectPlan) fill(live, after *unstructured.Unstructured, conflicts []Conflict) (ObjectPlan, error) {
	p.Ref, p.basis = RefOf(live), live.GetResourceVersion()
	p.Fields = differences(live, after)
	p.force = len(conflicts) > 0
	ours, soon := ownFields(live), ownFields(after)
	switch {
	case len(p.Fields) > 0:
	case reflect.DeepEqual(ours, soon):
		p.Action = ""
		p.wanted.remember(live, p.sent == p.wanted)
	case ours == nil:
		p.Note = "take over its management"
	default:
		p.Note = "claim its fields again" // the values are right, but they are not held for us
	}
	if others := foreign(conflicts); len(others) > 0 {
		p.Note = "held by another manager"
		return p, (&ConflictError{Ref: p.Ref, Conflicts: others}).hinted()
	}
	return p, nil
}
