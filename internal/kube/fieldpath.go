// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
)

// fieldPath is the place of a field as a rule names it: the text that differences
// are shown with.
type fieldPath []fieldStep

// fieldStep is a key of a map, or an item of a list: by one of its fields or by index.
type fieldStep struct {
	key   string
	is    string // with item: the value of the item's field key
	item  bool
	index int // of an item without a key
}

var (
	plainKey  = regexp.MustCompile(`^[A-Za-z_$][\w$-]*`)
	quotedKey = regexp.MustCompile(`^\["(?:[^"\\]|\\.)+"\]`)
	keyedItem = regexp.MustCompile(`^\[([A-Za-z]\w*)=([^\]]+)\]`)
	indexItem = regexp.MustCompile(`^\[(0|[1-9][0-9]{0,5})\]`)
)

// parseFieldPath reads "spec.containers[name=web].image", "spec.args[1]" or
// `metadata.annotations["a.b/c"]`.
func parseFieldPath(text string) (fieldPath, error) {
	var path fieldPath
	rest := text
	for rest != "" {
		step, size := nextStep(rest, len(path) == 0)
		if size == 0 {
			return nil, hint.With(fmt.Errorf("%q is not the path of a field", text),
				`write it as diff does: spec.replicas, spec.containers[name=web].image or metadata.annotations["a.b/c"]`)
		}
		path, rest = append(path, step), rest[size:]
	}
	if len(path) == 0 {
		return nil, fmt.Errorf("the path of a field is empty")
	}
	return path, nil
}

// nextStep reads the step at the beginning of text; a size of 0 means that there is none.
func nextStep(text string, first bool) (step fieldStep, size int) {
	if first {
		key := plainKey.FindString(text)
		return fieldStep{key: key}, len(key)
	}
	if rest, ok := strings.CutPrefix(text, "."); ok {
		if key := plainKey.FindString(rest); key != "" {
			return fieldStep{key: key}, len(key) + 1
		}
		return fieldStep{}, 0
	}
	if quoted := quotedKey.FindString(text); quoted != "" {
		key, err := strconv.Unquote(quoted[1 : len(quoted)-1])
		if err != nil || key == "" {
			return fieldStep{}, 0
		}
		return fieldStep{key: key}, len(quoted)
	}
	if m := indexItem.FindStringSubmatch(text); m != nil {
		index, _ := strconv.Atoi(m[1])
		return fieldStep{item: true, index: index}, len(m[0])
	}
	if m := keyedItem.FindStringSubmatch(text); m != nil {
		return fieldStep{item: true, key: m[1], is: m[2]}, len(m[0])
	}
	return fieldStep{}, 0
}

func (p fieldPath) String() string {
	var b strings.Builder
	for i, step := range p {
		switch {
		case step.item && step.key == "":
			fmt.Fprintf(&b, "[%d]", step.index)
		case step.item:
			fmt.Fprintf(&b, "[%s=%s]", step.key, step.is)
		case plainKey.FindString(step.key) != step.key:
			fmt.Fprintf(&b, "[%q]", step.key)
		default:
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(step.key)
		}
	}
	return b.String()
}

// in gives the value at p.
func (p fieldPath) in(value any) (any, bool) {
	for _, step := range p {
		next, ok := step.in(value)
		if !ok {
			return nil, false
		}
		value = next
	}
	return value, true
}

func (s fieldStep) in(value any) (any, bool) {
	if !s.item {
		m, ok := value.(map[string]any)
		next, there := m[s.key]
		return next, ok && there
	}
	list, _ := value.([]any)
	if i := s.at(list); i >= 0 {
		return list[i], true
	}
	return nil, false
}

// at is where in list the item is; -1 for nowhere.
func (s fieldStep) at(list []any) int {
	for i, item := range list {
		if s.key == "" {
			if i == s.index {
				return i
			}
			continue
		}
		if m, ok := item.(map[string]any); ok && m[s.key] != nil && text(m[s.key]) == s.is {
			return i
		}
	}
	return -1
}
