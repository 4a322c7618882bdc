// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// past is the part of an object by which it is recognised in a later run. The
// zero value remembers nothing.
type past struct {
	observed *Observed
	rules    []string // of the plan, beside the object itself: what is ignored, who is overridden
	digest   string   // of what is applied; "" until it is asked for
}

// remembering gives the objects of a plan their memory.
func remembering(objects []*object, options *Options) {
	if options.Observed == nil || options.Observed.key.IsZero() {
		options.Observed = nil
		return
	}
	for _, o := range objects {
		o.observed = options.Observed
		o.rules = append([]string{"override"}, overridden...)
		if options.Ignore != nil {
			for _, field := range options.Ignore(o.Ref) {
				o.rules = append(o.rules, "ignore "+field)
			}
		}
	}
}

// wantedNow is the digest of o as it is applied; "" when there is none.
func (o *object) wantedNow() string {
	if o.digest == "" {
		if body, err := json.Marshal(o.body.Object); err == nil {
			o.digest = wantedDigest(o.observed.key, body, o.rules)
		}
	}
	return o.digest
}

// remember records that live is as o wants it: applying o would change nothing. Where
// whole is false, something of o is left to others as live has it, so that what
// they write may matter, and only this very version of live counts.
func (o *object) remember(live *unstructured.Unstructured, whole bool) {
	if o.observed == nil {
		return
	}
	r := record{uid: string(live.GetUID()), version: live.GetResourceVersion(), wanted: o.wantedNow()}
	if whole {
		r.live = liveDigest(o.observed.key, live)
	}
	if r.uid == "" || r.version == "" || r.wanted == "" {
		o.observed.drop(o.key())
		return
	}
	o.observed.put(o.key(), r)
}

// became is told what an apply made of o. Only where that shows to the letter what
// is wanted, and the next apply would send the same, does it count as such; else the
// next plan asks by a dry-run.
func (o *object) became(live *unstructured.Unstructured, options *Options) {
	if o.observed == nil {
		return
	}
	next, err := ignoring(o, live, options)
	if err != nil || next != o || !shows(live.Object, o.body.Object) {
		o.observed.drop(o.key())
		return
	}
	o.remember(live, true)
}

// stillWanted reports whether live, read in full, is as o wants it although
// something was written to it: to its status, say, or to what others hold.
func (o *object) stillWanted(live *unstructured.Unstructured) bool {
	if o.observed == nil || live.GetDeletionTimestamp() != nil {
		return false
	}
	r, ok := o.observed.get(o.key())
	if !ok || r.uid != string(live.GetUID()) || r.wanted != o.wantedNow() {
		return false
	}
	if r.version == live.GetResourceVersion() {
		return true
	}
	if r.live == "" || r.live != liveDigest(o.observed.key, live) {
		return false
	}
	o.remember(live, true)
	return true
}

// defines is told what a CustomResourceDefinition has become.
func (o *object) defines(live *unstructured.Unstructured) {
	if o.observed == nil {
		return
	}
	for gvk, r := range kindsOf(o.body) {
		o.observed.defined(r, gvk.Kind, definition(string(live.GetUID()), live.GetGeneration()))
	}
}

func definition(uid string, generation int64) string { return fmt.Sprintf("%s/%d", uid, generation) }
