// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/secret"
)

// digestSize is how many hex digits of a digest are kept: 128 bits.
const digestSize = 32

// wantedDigest is over what is applied and over the rules that change it.
func wantedDigest(k secret.Value, body []byte, rules []string) string {
	pieces := [][]byte{[]byte(wantedPurpose), body}
	for _, rule := range rules {
		pieces = append(pieces, []byte(rule))
	}
	return secret.HMAC(k, pieces...)[:digestSize]
}

// liveDigest is over the fields of u that we have applied and over what is there
// now. While it stays the same, applying the same again changes nothing: no value
// has moved, and no field has gone to somebody else. It is "" when nothing is ours.
func liveDigest(k secret.Value, u *unstructured.Unstructured) string {
	fields := ownFields(u)
	if fields == nil {
		return ""
	}
	w := &fieldWriter{}
	w.children(fields, u.Object)
	if w.failed {
		return ""
	}
	return secret.HMAC(k, []byte(livePurpose), []byte(u.GetUID()), []byte(u.GetAPIVersion()), w.Bytes())[:digestSize]
}

// fieldWriter writes a field set, and the values at its fields, in one way only.
type fieldWriter struct {
	bytes.Buffer
	failed bool
}

func (w *fieldWriter) children(fields map[string]any, value any) {
	w.WriteByte('(')
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		w.json(name)
		if name == "." {
			w.json(value != nil)
			continue
		}
		below, _ := fields[name].(map[string]any)
		item, at := member(value, name)
		w.WriteString(strconv.Itoa(at) + ":") // the order of a list is a value too
		if item == nil || len(below) == 0 {
			w.json(item)
			continue
		}
		w.children(below, item)
	}
	w.WriteByte(')')
}

func (w *fieldWriter) json(value any) {
	text, err := json.Marshal(value)
	w.failed = w.failed || err != nil
	w.Write(text)
	w.WriteByte(';')
}

// member is the part of value that one name of a field set means, and its place in
// a list; nil when it is not there.
func member(value any, name string) (item any, at int) {
	kind, text, _ := strings.Cut(name, ":")
	if kind == "f" {
		m, _ := value.(map[string]any)
		return m[text], 0
	}
	var want any
	list, _ := value.([]any)
	if len(list) == 0 || json.Unmarshal([]byte(text), &want) != nil {
		return nil, -1
	}
	for i, item := range list {
		switch {
		case kind == "k" && hasFields(item, want), kind == "v" && reflect.DeepEqual(jsonNumber(item), want), kind == "i" && want == float64(i):
			return item, i
		}
	}
	return nil, -1
}

// shows reports whether live holds, to the letter, what is wanted. Where it does not,
// the server may only write the same in another way, but then it has to say so.
func shows(live, wanted any) bool {
	switch wanted := wanted.(type) {
	case map[string]any:
		there, ok := live.(map[string]any)
		for name, value := range wanted {
			if !ok || !shows(there[name], value) {
				return false
			}
		}
		return ok
	case []any:
		there, ok := live.([]any)
		if !ok || len(there) != len(wanted) {
			return false
		}
		for i := range wanted {
			if !shows(there[i], wanted[i]) {
				return false
			}
		}
		return true
	}
	return live == wanted
}
