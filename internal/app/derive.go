// SPDX-License-Identifier: Apache-2.0

package app

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/kube"
	"clusterup.dev/clusterup/internal/release"
)

// derived is an earlier release with the tokens of today: see docs/adr/0012. Where
// they are the same, it is that very release.
type derived struct {
	halves  [][]byte                       // of the tokens of today
	today   later[map[kube.Ref]tokenValue] // what today's folders give; nothing while they do not render
	current later[map[kube.Ref]tokenValue] // what the current release gives, which may be older
}

// tokenValue is an object of a release that is asked for the values of tokens.
type tokenValue struct {
	object *unstructured.Unstructured
	keys   []string
}

func valuesIn(r *release.Release) map[kube.Ref]tokenValue {
	values := map[kube.Ref]tokenValue{}
	for _, part := range r.Parts {
		for _, o := range part.Objects {
			ref := release.RefOf(part.Addon, o)
			if keys := part.Tokens[ref]; len(keys) > 0 {
				values[anyVersion(ref)] = tokenValue{o, keys}
			}
		}
	}
	return values
}

// parts gives those of old with the values of today, and whether one of them is
// another than it was. A line of doubts tells each value of which nothing says that it
// is of today.
func (d derived) parts(ctx context.Context, old *release.Release) (parts []release.Part, changed bool, doubts []string, err error) {
	for _, part := range old.Parts {
		part.Objects = slices.Clone(part.Objects)
		for i, o := range part.Objects {
			ref := release.RefOf(part.Addon, o)
			for _, key := range part.Tokens[ref] {
				now, known, err := d.value(ctx, ref, key)
				if err != nil {
					return nil, false, nil, err
				}
				was := dataOf(o)[key]
				data, _ := part.Objects[i].Object["data"].(map[string]any)
				stays := !known || now.text == data[key] || d.holdsThem(was, now.plain)
				if sure := known && now.ofToday || d.holdsSome(was) || !stays && d.holdsSome(now.plain); !sure {
					doubts = append(doubts, fmt.Sprintf("add-on %s: key %q of %s may be of a token that was made anew since: nothing of today tells", part.Addon, key, kubeRef(ref)))
				}
				if stays {
					continue
				}
				if part.Objects[i] == o {
					part.Objects[i] = o.DeepCopy()
					data, _ = part.Objects[i].Object["data"].(map[string]any)
				}
				data[key], changed = now.text, true
			}
		}
		parts = append(parts, part)
	}
	return parts, changed, doubts, nil
}

// dataValue is one value as it is written and as a pod sees it.
type dataValue struct {
	text    any
	plain   []byte
	ofToday bool // rendered with the tokens of today
}

// value is what the present tokens give for a key, or else the current release.
func (d derived) value(ctx context.Context, ref release.Ref, key string) (dataValue, bool, error) {
	for i, source := range []later[map[kube.Ref]tokenValue]{d.today, d.current} {
		values, err := source(ctx)
		if err != nil {
			return dataValue{}, false, err
		}
		v, ok := values[anyVersion(ref)]
		if !ok || !slices.Contains(v.keys, key) {
			continue
		}
		data, _ := v.object.Object["data"].(map[string]any)
		return dataValue{text: data[key], plain: dataOf(v.object)[key], ofToday: i == 0}, true, nil
	}
	return dataValue{}, false, nil
}

func (d derived) holdsSome(value []byte) bool {
	return slices.ContainsFunc(d.halves, func(half []byte) bool { return bytes.Contains(value, half) })
}

// holdsThem reports whether an old value holds all the present tokens that the new one
// does: then the tokens are the same and something around them has changed, a host in
// a URL, say, which is to be as it was.
//
// Certificates are counted: an old value may trust an authority beside the present
// one that was retired since.
func (d derived) holdsThem(old, now []byte) bool {
	if begin := []byte("-----BEGIN CERTIFICATE-----"); bytes.Count(old, begin) != bytes.Count(now, begin) {
		return false
	}
	some := false
	for _, half := range d.halves {
		if bytes.Contains(now, half) {
			if !bytes.Contains(old, half) {
				return false
			}
			some = true
		}
	}
	return some
}
