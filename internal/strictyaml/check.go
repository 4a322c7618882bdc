// SPDX-License-Identifier: Apache-2.0

package strictyaml

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"

	"gopkg.in/yaml.v3"

	"clusterup.dev/clusterup/internal/hint"
)

// checker compares nodes with the types that they will be decoded into.
type checker struct {
	file string
	seen map[visit]bool
}

// visit is the target of an alias as a type. Each is checked once, so that
// aliases of aliases cost nothing and one inside itself ends.
type visit struct {
	node *yaml.Node
	t    reflect.Type
}

func (c checker) fail(node *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%s: %s", position(c.file, node), fmt.Sprintf(format, args...))
}

// check looks at node as a t. path is for the reader: "spec.addons[0]".
func (c checker) check(node *yaml.Node, t reflect.Type, path string) error {
	if node.Kind == yaml.AliasNode {
		v := visit{node.Alias, t}
		if c.seen[v] {
			return nil
		}
		c.seen[v] = true
		node = node.Alias
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case node.ShortTag() == "!!null":
		return nil // as if it were absent
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return c.checkText(node, t, path)
	}
	switch t.Kind() {
	case reflect.Struct:
		return c.checkStruct(node, t, path)
	case reflect.Map:
		return c.checkMap(node, t.Elem(), path)
	case reflect.Slice:
		return c.checkList(node, t.Elem(), path)
	case reflect.Interface:
		return c.checkAny(node, t, path)
	}
	return c.checkScalar(node, t, path)
}

func (c checker) checkStruct(node *yaml.Node, t reflect.Type, path string) error {
	fields := make(map[string]reflect.Type)
	var names []string
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		if name != "" && name != "-" {
			fields[name] = field.Type
			names = append(names, name)
		}
	}
	return c.pairs(node, path, func(key, value *yaml.Node) error {
		fieldType, ok := fields[key.Value]
		if !ok {
			in := ""
			if path != "" {
				in = " in " + path
			}
			return hint.With(c.fail(key, "unknown field %q%s", short(key.Value), in), "%s", Nearest(key.Value, names))
		}
		return c.check(value, fieldType, join(path, key.Value))
	})
}

func (c checker) checkMap(node *yaml.Node, elem reflect.Type, path string) error {
	return c.pairs(node, path, func(key, value *yaml.Node) error {
		return c.check(value, elem, join(path, key.Value))
	})
}

func (c checker) checkList(node *yaml.Node, elem reflect.Type, path string) error {
	if node.Kind != yaml.SequenceNode {
		return hint.With(c.fail(node, "%s has to be a list, and is %s", path, describe(node)), `each item of a list begins with "- "`)
	}
	for i, item := range node.Content {
		if elem.Kind() != reflect.Interface && item.ShortTag() == "!!null" { // would be left out
			return c.fail(item, "%s[%d] is empty", path, i)
		}
		if err := c.check(item, elem, fmt.Sprintf("%s[%d]", path, i)); err != nil {
			return err
		}
	}
	return nil
}

// pairs visits the entries of a mapping, whose keys have to be text, each once.
func (c checker) pairs(node *yaml.Node, path string, visit func(key, value *yaml.Node) error) error {
	if node.Kind != yaml.MappingNode {
		if path == "" {
			path = "the file"
		}
		return c.fail(node, "%s has to be a mapping, and is %s", path, describe(node))
	}
	first := make(map[string]int)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		switch tag := key.ShortTag(); {
		case tag == "!!merge":
			return c.fail(key, "merge keys (<<) cannot be used here")
		case key.Kind != yaml.ScalarNode || tag != "!!str":
			return hint.With(c.fail(key, "a key has to be text, and is %s", describe(key)), "%s", quoting(key))
		}
		if line, ok := first[key.Value]; ok {
			return c.fail(key, "%s is given twice, first in line %d", join(path, key.Value), line)
		}
		first[key.Value] = key.Line
		if err := visit(key, value); err != nil {
			return err
		}
	}
	return nil
}
