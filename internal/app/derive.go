// SPDX-License-Identifier: Apache-2.0

package app

import (
	"bytes"
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/kube"
	"clusterup.dev/clusterup/internal/release"
)

// derived is an earlier release with the tokens of today: see docs/adr/0012. Where
// they are the same, it is that very release.
type derived struct {
	halves  [][]byte                         // of the tokens of today
	sources []later[map[kube.Ref]tokenValue] // asked one after the other
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
// another than it was.
func (d derived) parts(ctx context.Context, old *release.Release) (parts []release.Part, changed bool, err error) {
	for _, part := range old.Parts {
		part.Objects = slices.Clone(part.Objects)
		for i, o := range part.Objects {
			ref := release.RefOf(part.Addon, o)
			for _, key := range part.Tokens[ref] {
				now, known, err := d.value(ctx, ref, key)
				if err != nil {
					return nil, false, err
				}
				data, _ := part.Objects[i].Object["data"].(map[string]any)
				if !known || now.text == data[key] || d.holdsThem(dataOf(o)[key], now.plain) {
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
	return parts, changed, nil
}

// dataValue is one value as it is written and as a pod sees it.
type dataValue struct {
	text  any
	plain []byte
}

// value is what the present tokens give for a key, from the first source that has it.
func (d derived) value(ctx context.Context, ref release.Ref, key string) (dataValue, bool, error) {
	for _, source := range d.sources {
		values, err := source(ctx)
		if err != nil {
			return dataValue{}, false, err
		}
		v, ok := values[anyVersion(ref)]
		if !ok || !slices.Contains(v.keys, key) {
			continue
		}
		data, _ := v.object.Object["data"].(map[string]any)
		return dataValue{data[key], dataOf(v.object)[key]}, true, nil
	}
	return dataValue{}, false, nil
}

// holdsThem reports whether an old value holds all the present tokens that the new one
// does: then the tokens are the same and something around them has changed, a host in
// a URL, say, which is to be as it was.
func (d derived) holdsThem(old, now []byte) bool {
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
