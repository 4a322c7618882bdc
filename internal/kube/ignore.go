// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/fieldpath"
)

// ignoring is o as it is applied over live: fields that are others' business once the
// object exists stay as they are. Where we hold such a field, its live value is
// sent, so that it stays held; where we do not, it is left out. So it is
// neither a difference nor a conflict, whatever the manifest says. live is not nil.
func ignoring(o *object, live *unstructured.Unstructured, options *Options) (*object, error) {
	paths := injected(o.body)
	if _, scaled := (fieldpath.Path{{Key: "spec"}, {Key: "replicas"}}).In(o.body.Object); scaled && scaledByOthers(live) {
		paths = append(paths, fieldpath.Path{{Key: "spec"}, {Key: "replicas"}})
	}
	if options.Ignore != nil {
		for _, text := range options.Ignore(o.Ref) {
			path, err := fieldpath.Parse(text)
			if err != nil {
				return nil, fmt.Errorf("%s: a field to ignore: %w", o.Ref, err)
			}
			if isSecret(o.Ref) && path[0].Key == "stringData" {
				path[0].Key = "data"
			}
			paths = append(paths, path)
		}
	}
	if len(paths) == 0 {
		return o, nil
	}
	adapted := *o
	adapted.body = o.body.DeepCopy()
	own := ownFields(live)
	for _, path := range paths {
		if path.Identifies() {
			return nil, fmt.Errorf("%s: %s cannot be ignored", o.Ref, path)
		}
		_, _ = ignore(adapted.body.Object, live.Object, own, path, own != nil)
	}
	return &adapted, nil
}

// ignore gives wanted as it is to be sent, with the field at path as it is live. keep is
// false when nothing of it is to be sent. held are our fields of live.
func ignore(wanted, live any, held map[string]any, path fieldpath.Path, mine bool) (sent any, keep bool) {
	if len(path) == 0 {
		switch {
		case !mine:
			return nil, false
		case live == nil: // held, but empty: the server does not keep it
			return wanted, wanted != nil
		}
		return extract(live, held), true
	}
	step := path[0]
	below, _ := step.In(live)
	belowHeld, belowMine := heldBelow(step, live, below, held, mine)
	if !step.Item {
		m, ok := wanted.(map[string]any)
		if !ok && (wanted != nil || !belowMine) {
			return wanted, wanted != nil
		}
		had := len(m)
		if !ok {
			m = make(map[string]any)
		}
		if sent, keep := ignore(m[step.Key], below, belowHeld, path[1:], belowMine); keep {
			m[step.Key] = sent
		} else {
			delete(m, step.Key)
		}
		return m, len(m) > 0 || ok && had == 0 // what is left empty is not claimed
	}
	list, _ := wanted.([]any)
	i := step.At(list)
	if i < 0 {
		return wanted, wanted != nil // an item that is not wanted is not brought back
	}
	if below == nil && len(path) > 1 {
		return wanted, true // an item that is only made needs all that the manifest says
	}
	sent, keep = ignore(list[i], below, belowHeld, path[1:], belowMine || step.Key == "" && below != nil)
	if !keep {
		return slices.Delete(slices.Clone(list), i, i+1), len(list) > 1
	}
	list[i] = sent
	return list, true
}

// heldBelow is our part of the field set below a step into live, and whether we hold
// anything there. A value that is held as a whole is held with all that is in it.
func heldBelow(s fieldpath.Step, live, below any, set map[string]any, mine bool) (map[string]any, bool) {
	step := pathStep{key: s.Key}
	if s.Item {
		list, _ := live.([]any)
		step = pathStep{index: s.At(list), item: below}
	}
	return childOf(set, mine, step)
}

// whole reports whether a field set stands for a value with all that is in it.
func whole(set map[string]any) bool { return len(set) == 0 }

// extract is the part of value that the field set holds.
func extract(value any, set map[string]any) any {
	if whole(set) {
		return value
	}
	switch value := value.(type) {
	case map[string]any:
		part := make(map[string]any)
		for name, field := range value {
			if below, ok := child(set, pathStep{key: name}); ok && name != "" {
				part[name] = extract(field, below)
			}
		}
		return part
	case []any:
		part := make([]any, 0, len(value))
		for i, item := range value {
			if below, ok := child(set, pathStep{index: i, item: item}); ok {
				part = append(part, extract(item, below))
			}
		}
		return part
	}
	return value
}

// scaledByOthers reports whether something that may not be overridden, as an
// autoscaler, has set the replicas through the scale subresource.
func scaledByOthers(live *unstructured.Unstructured) bool {
	for _, e := range managerEntries(live) {
		if e.subresource == "scale" && owns(e.fields, []pathStep{{key: "spec"}, {key: "replicas"}}) &&
			len(foreign([]Conflict{{Manager: e.manager}})) > 0 {
			return true
		}
	}
	return false
}

// injected are the CA bundles that a manifest leaves to whatever injects them.
func injected(wanted *unstructured.Unstructured) []fieldpath.Path {
	var paths []fieldpath.Path
	add := func(object any, path ...fieldpath.Step) {
		path = append(path, fieldpath.Step{Key: "caBundle"})
		if value, _ := fieldpath.Path(path).In(object); unset(value) {
			paths = append(paths, path)
		}
	}
	switch r := RefOf(wanted); {
	case isCRD(r):
		add(wanted.Object, fieldpath.Step{Key: "spec"}, fieldpath.Step{Key: "conversion"}, fieldpath.Step{Key: "webhook"}, fieldpath.Step{Key: "clientConfig"})
	case r.Kind == "APIService" && r.stage() == stageWebhooks:
		add(wanted.Object, fieldpath.Step{Key: "spec"})
	case r.stage() == stageWebhooks:
		webhooks, _, _ := unstructured.NestedSlice(wanted.Object, "webhooks")
		for _, item := range webhooks {
			if m, ok := item.(map[string]any); ok && m["name"] != nil {
				add(wanted.Object, fieldpath.Step{Key: "webhooks"}, fieldpath.Step{Item: true, Key: "name", Is: fieldpath.Text(m["name"])}, fieldpath.Step{Key: "clientConfig"})
			}
		}
	}
	return paths
}

// unset reports whether a CA bundle is a placeholder: nothing, or white space.
func unset(caBundle any) bool {
	if caBundle == nil {
		return true
	}
	encoded, ok := caBundle.(string)
	plain, err := base64.StdEncoding.DecodeString(encoded)
	return ok && err == nil && strings.TrimSpace(string(plain)) == ""
}
