// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"clusterup.dev/clusterup/internal/fieldpath"
)

// ReadyRule is what is special about when one object is ready. The zero value is
// nothing.
type ReadyRule struct {
	Timeout time.Duration // its own deadline; zero is that of the wait
	Field   string        // "status.phase": has to have the value Is, whatever else its status says
	Is      string
}

// awaited is an object that is waited for.
type awaited struct {
	*object
	rule  ReadyRule
	field fieldpath.Path // of the rule; nil for none
}

// waitable are those of objs that can be not ready and are not skipped.
func (c *Cluster) waitable(ctx context.Context, objs []*unstructured.Unstructured, o WaitOptions) ([]*awaited, error) {
	var objects []*awaited
	var errs []error
	for _, u := range objs {
		a, r := &awaited{}, RefOf(u)
		if o.skips(r) {
			continue
		}
		if o.Rule != nil {
			a.rule = o.Rule(r)
		}
		if _, ruled := rules[r.gvk().GroupKind()]; !ruled && !isCustom(r) && a.rule.Field == "" {
			continue
		}
		var err error
		if a.object, err = normalize(u); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", r, err))
			continue
		}
		if a.rule.Field != "" {
			if a.field, err = fieldpath.Parse(a.rule.Field); err != nil {
				errs = append(errs, fmt.Errorf("%s: when it is ready: %w", r, err))
			}
		}
		objects = append(objects, a)
	}
	if err := together(errs...); err != nil {
		return nil, err
	}
	return objects, c.locate(ctx, objects)
}

// locate finds where objects are served, as far as they are: the definition of a kind
// may be another add-on's, and still to come.
func (c *Cluster) locate(ctx context.Context, objects []*awaited) error {
	var gvks []schema.GroupVersionKind
	for _, o := range objects {
		if !o.served {
			gvks = append(gvks, o.gvk())
		}
	}
	if len(gvks) == 0 {
		return nil
	}
	served, err := c.kinds.resolve(ctx, gvks)
	for _, o := range objects {
		if r, ok := served[o.gvk()]; ok && !o.served {
			o.resource, o.served = r, true
		}
	}
	return err
}

// judge says whether live is ready: by its rule's field, if it has one, and else as its
// kind has it.
func (c *Cluster) judge(ctx context.Context, o *awaited, live *unstructured.Unstructured) verdict {
	switch {
	case !o.served:
		return pendingFor("its kind is not served yet")
	case live == nil:
		return pendingFor("it does not exist")
	case o.field == nil:
		return c.judgeByKind(ctx, live, o.resource.status)
	case live.GetDeletionTimestamp() != nil:
		return pendingFor("being deleted")
	}
	switch value, there := o.field.In(live.Object); {
	case !there:
		return pendingFor("%s is not there, not %s", o.rule.Field, o.rule.Is)
	case fieldpath.Text(value) != o.rule.Is && isSecret(o.Ref):
		return pendingFor("%s is not what it should be", o.rule.Field)
	case fieldpath.Text(value) != o.rule.Is:
		return pendingFor("%s is %s, not %s", o.rule.Field, fieldpath.Text(value), o.rule.Is)
	}
	return ready
}

// deadlines are until when each object is waited for, and all of them.
type deadlines struct {
	started time.Time
	within  time.Duration // of what has no deadline of its own
}

func (d deadlines) of(o *awaited) time.Duration {
	if o.rule.Timeout > 0 {
		return o.rule.Timeout
	}
	return d.within
}

// last is how long the longest wait takes.
func (d deadlines) last(objects []*awaited) time.Duration {
	last := d.within
	for _, o := range objects {
		last = max(last, d.of(o))
	}
	return last
}

// overdue are those of waiting whose deadline has passed.
func (d deadlines) overdue(waiting []*unready, now time.Time) []*unready {
	var late []*unready
	for _, u := range waiting {
		if now.Sub(d.started) >= d.of(u.awaited) {
			late = append(late, u)
		}
	}
	return late
}

// next is how long it is until the next deadline of its own passes, sweep at the most.
func (d deadlines) next(objects []*awaited, now time.Time) time.Duration {
	next := sweep
	for _, o := range objects {
		if left := d.of(o) - now.Sub(d.started); left > 0 {
			next = min(next, left)
		}
	}
	return next
}
