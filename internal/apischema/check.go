// SPDX-License-Identifier: Apache-2.0

package apischema

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/fieldpath"
	"clusterup.dev/clusterup/internal/strictyaml"
)

// Check gives what is wrong with an object of a built-in kind: a kind that is
// not served, fields that do not exist, that have another type, that are
// missing, entries of a list with the same key. Values (is this a port?) are
// left to the API server, and so is status.
func Check(u *unstructured.Unstructured) []Problem {
	if p := Kind(u.GroupVersionKind()); p != nil {
		return []Problem{*p}
	}
	var c checker
	c.structure("", kinds()[u.GroupVersionKind()], u.Object)
	slices.SortStableFunc(c.problems, func(a, b Problem) int { return cmp.Compare(a.Path, b.Path) })
	return c.problems
}

type checker struct {
	problems []Problem
}

func (c *checker) problem(path, advice, format string, args ...any) {
	c.problems = append(c.problems, Problem{Path: path, Message: fmt.Sprintf(format, args...), Hint: advice})
}

// check compares a value with the Go type that the API server reads it into.
// Null is as if the field were absent.
func (c *checker) check(path string, t reflect.Type, value any, mergeKey string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if value == nil {
		return
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		c.own(path, t, value)
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		c.structure(path, t, value)
	case reflect.Map:
		c.mapping(path, t, value)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			c.bytes(path, value)
			return
		}
		c.list(path, t, value, mergeKey)
	case reflect.Interface:
	default:
		c.scalar(path, t, value)
	}
}

// own asks a type that reads itself: quantities, times, numbers or names of ports.
func (c *checker) own(path string, t reflect.Type, value any) {
	text, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(text, reflect.New(t).Interface())
	}
	if err != nil {
		c.problem(path, "", "%s is no %s", brief(value), named(t))
	}
}

func named(t reflect.Type) string {
	switch t.Name() {
	case "IntOrString":
		return "number or name"
	case "Quantity":
		return "quantity such as 100m or 64Mi"
	case "Time", "MicroTime":
		return "time such as 2026-01-31T12:00:00Z"
	}
	return t.Name()
}

func (c *checker) structure(path string, t reflect.Type, value any) {
	object, ok := value.(map[string]any)
	if !ok {
		c.problem(path, "", "has to be a mapping, and is %s", describe(value))
		return
	}
	fields := fieldsOf(t)
	for _, key := range slices.Sorted(maps.Keys(object)) {
		f, known := fields[key]
		switch {
		case !known:
			c.problem(fieldpath.Join(path, key), strictyaml.Nearest(key, slices.Collect(maps.Keys(fields))), "there is no such field")
		case path == "" && key == "status":
		default:
			c.check(fieldpath.Join(path, key), f.Type, object[key], f.mergeKey)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if _, given := object[key]; fields[key].required && !given {
			c.problem(fieldpath.Join(path, key), "", "is missing")
		}
	}
}

func (c *checker) mapping(path string, t reflect.Type, value any) {
	object, ok := value.(map[string]any)
	if !ok {
		c.problem(path, "", "has to be a mapping, and is %s", describe(value))
		return
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		c.check(fieldpath.Join(path, key), t.Elem(), object[key], "")
	}
}

func (c *checker) list(path string, t reflect.Type, value any, mergeKey string) {
	items, ok := value.([]any)
	if !ok {
		c.problem(path, `each item of a list begins with "- "`, "has to be a list, and is %s", describe(value))
		return
	}
	seen := map[string]int{}
	for i, item := range items {
		at := fmt.Sprintf("%s[%d]", path, i)
		if item == nil {
			c.problem(at, "", "the item is empty")
			continue
		}
		c.check(at, t.Elem(), item, "")
		key := keyOf(item, mergeKey)
		if first, doubled := seen[key]; key != "" && doubled {
			c.problem(at, "server-side apply wants each once", "%s is also the one of %s[%d]", key, path, first)
		} else {
			seen[key] = i
		}
	}
}

// keyOf is what tells items of a list apart for server-side apply. Ports are
// told apart by their protocol, too.
func keyOf(item any, mergeKey string) string {
	object, ok := item.(map[string]any)
	if !ok || object[mergeKey] == nil {
		return ""
	}
	key := fmt.Sprintf("%s %v", mergeKey, object[mergeKey])
	if mergeKey == "port" || mergeKey == "containerPort" {
		protocol, _ := object["protocol"].(string)
		key += "/" + cmp.Or(protocol, "TCP")
	}
	return key
}
