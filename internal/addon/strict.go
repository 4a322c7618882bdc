// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"clusterup.dev/clusterup/internal/hint"
)

// decodeStrict decodes one YAML document into the struct that into points at.
// Unknown fields, doubled keys and wrong types are refused with their place.
// The node is for looking up places later.
func decodeStrict(file string, data []byte, into any) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%s: is empty", file)
	case err != nil:
		return nil, syntaxError(file, err)
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: holds more than one document", file)
	}
	s := strict{file: file, seen: make(map[*yaml.Node]bool)}
	root := document.Content[0]
	if err := s.check(root, reflect.TypeOf(into).Elem(), ""); err != nil {
		return nil, err
	}
	if err := document.Decode(into); err != nil {
		return nil, syntaxError(file, err)
	}
	return root, nil
}

var yamlLine = regexp.MustCompile(`(?s)^(?:yaml: )?(?:unmarshal errors:\s*)?line (\d+): ([^\n]*)`)

func syntaxError(file string, err error) error {
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		return fmt.Errorf("%s:%s: %s", file, m[1], m[2])
	}
	return fmt.Errorf("%s: %s", file, strings.TrimPrefix(err.Error(), "yaml: "))
}

type strict struct {
	file string
	seen map[*yaml.Node]bool // targets of aliases: each is checked once
}

func (s strict) fail(node *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%s: %s", position(s.file, node), fmt.Sprintf(format, args...))
}

// check compares a node with the type that it will be decoded into. path is
// for the reader.
func (s strict) check(node *yaml.Node, t reflect.Type, path string) error {
	for node.Kind == yaml.AliasNode {
		if s.seen[node.Alias] {
			return nil
		}
		s.seen[node.Alias] = true
		node = node.Alias
	}
	isNull := node.Kind == yaml.ScalarNode && node.Tag == "!!null"
	switch {
	case isNull && t.Kind() != reflect.String:
		return nil
	case t == reflect.TypeFor[time.Duration]():
		if _, err := time.ParseDuration(node.Value); node.Kind != yaml.ScalarNode || err != nil {
			return hint.With(s.fail(node, "%s is not a duration", path), `write it like "5m" or "90s"`)
		}
		return nil
	}
	switch t.Kind() {
	case reflect.Struct:
		return s.checkStruct(node, t, path)
	case reflect.Map:
		return s.checkMap(node, t.Elem(), path)
	case reflect.Slice:
		return s.checkSlice(node, t.Elem(), path)
	case reflect.Interface:
		return s.checkAny(node, t, path)
	case reflect.String:
		if node.Kind != yaml.ScalarNode || node.Tag != "!!str" {
			return hint.With(s.fail(node, "%s has to be a string, and is %s", path, describe(node)), "%s", quoteHint(node))
		}
	case reflect.Bool:
		if node.Tag != "!!bool" {
			return s.fail(node, "%s has to be true or false, and is %s", path, describe(node))
		}
	case reflect.Int:
		if node.Tag != "!!int" {
			return s.fail(node, "%s has to be a whole number, and is %s", path, describe(node))
		}
	}
	return nil
}

func (s strict) checkStruct(node *yaml.Node, t reflect.Type, path string) error {
	fields, rest := fieldsOf(t)
	return s.pairs(node, path, func(key, value *yaml.Node) error {
		fieldType, ok := fields[key.Value]
		switch {
		case !ok && rest != nil && value.Kind == yaml.MappingNode:
			return s.check(value, rest.Elem(), key.Value)
		case !ok:
			err := s.fail(key, "unknown field %q", key.Value)
			if path != "" {
				err = s.fail(key, "unknown field %q in %s", key.Value, path)
			}
			return hint.With(err, "%s", suggest(key.Value, fields))
		}
		return s.check(value, fieldType, join(path, key.Value))
	})
}

// fieldsOf gives the fields of a struct by their names in YAML, and the type of
// the map that takes all others, if there is one.
func fieldsOf(t reflect.Type) (fields map[string]reflect.Type, rest reflect.Type) {
	fields = make(map[string]reflect.Type)
	for field := range t.Fields() {
		switch name := field.Tag.Get("yaml"); name {
		case "", "-":
		case ",inline":
			rest = field.Type
		default:
			fields[name] = field.Type
		}
	}
	return fields, rest
}

func (s strict) checkMap(node *yaml.Node, elem reflect.Type, path string) error {
	return s.pairs(node, path, func(key, value *yaml.Node) error {
		return s.check(value, elem, join(path, key.Value))
	})
}

func (s strict) checkSlice(node *yaml.Node, elem reflect.Type, path string) error {
	if node.Kind != yaml.SequenceNode {
		return s.fail(node, "%s has to be a list, and is %s", path, describe(node))
	}
	for i, item := range node.Content {
		if err := s.check(item, elem, fmt.Sprintf("%s[%d]", path, i)); err != nil {
			return err
		}
	}
	return nil
}

func (s strict) checkAny(node *yaml.Node, t reflect.Type, path string) error {
	switch node.Kind {
	case yaml.MappingNode:
		return s.checkMap(node, t, path)
	case yaml.SequenceNode:
		return s.checkSlice(node, t, path)
	}
	return nil
}

// pairs visits the entries of a mapping whose keys are strings, each once.
func (s strict) pairs(node *yaml.Node, path string, visit func(key, value *yaml.Node) error) error {
	if node.Kind != yaml.MappingNode {
		if path == "" {
			path = "the document"
		}
		return s.fail(node, "%s has to be a mapping, and is %s", path, describe(node))
	}
	first := make(map[string]int)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Tag != "!!str" {
			return hint.With(s.fail(key, "a key has to be a string, and is %s", describe(key)), "%s", quoteHint(key))
		}
		if line, ok := first[key.Value]; ok {
			return s.fail(key, "%s is given twice, first in line %d", join(path, key.Value), line)
		}
		first[key.Value] = key.Line
		if err := visit(key, value); err != nil {
			return err
		}
	}
	return nil
}
