// SPDX-License-Identifier: Apache-2.0

package strictyaml

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"

	"gopkg.in/yaml.v3"

	"clusterup.dev/clusterup/internal/hint"
)

func (c checker) checkScalar(node *yaml.Node, t reflect.Type, path string) error {
	tag := node.ShortTag()
	var want string
	var ok bool
	switch t.Kind() {
	case reflect.String:
		want, ok = "text", tag == "!!str"
	case reflect.Bool:
		want, ok = "true or false", tag == "!!bool"
	case reflect.Int, reflect.Int64:
		want, ok = "a whole number", tag == "!!int"
	default:
		return fmt.Errorf("%s is of the type %s, which cannot be read strictly", path, t)
	}
	if !ok || node.Kind != yaml.ScalarNode {
		err := c.fail(node, "%s has to be %s, and is %s", path, want, describe(node))
		if want == "text" {
			err = hint.With(err, "%s", quoting(node))
		}
		return err
	}
	if err := node.Decode(reflect.New(t).Interface()); err != nil {
		return c.fail(node, "%s has to be %s, and is %s", path, want, describe(node))
	}
	return nil
}

// checkText lets a type read itself, so that its error gets a place.
func (c checker) checkText(node *yaml.Node, t reflect.Type, path string) error {
	if node.Kind != yaml.ScalarNode {
		return c.fail(node, "%s has to be text, and is %s", path, describe(node))
	}
	value, ok := reflect.New(t).Interface().(encoding.TextUnmarshaler)
	if !ok {
		return nil
	}
	if err := value.UnmarshalText([]byte(node.Value)); err != nil {
		return fmt.Errorf("%s: %s: %w", position(c.file, node), path, err)
	}
	return nil
}

// checkAny allows what JSON knows, in mappings and lists.
func (c checker) checkAny(node *yaml.Node, t reflect.Type, path string) error {
	switch node.Kind {
	case yaml.MappingNode:
		return c.checkMap(node, t, path)
	case yaml.SequenceNode:
		return c.checkList(node, t, path)
	}
	switch tag := node.ShortTag(); tag {
	case "!!timestamp":
		node.Tag = "!!str" // 2026-01-31 is the text that it looks like
	case "!!str", "!!bool", "!!null", "!!int", "!!float":
		if err := plain(node); err != nil {
			return hint.With(c.fail(node, "%s: %v", path, err), "%s", quoting(node))
		}
	default:
		return hint.With(c.fail(node, "%s has the tag %s, which cannot be used here", path, oneLine(tag)), "%s", quoting(node))
	}
	return nil
}

// plain refuses a scalar that its tag does not fit or JSON does not know.
func plain(node *yaml.Node) error {
	var value any
	if err := node.Decode(&value); err != nil {
		return fmt.Errorf("%s is not a value that can be used here", describe(node))
	}
	if f, ok := value.(float64); ok && (math.IsInf(f, 0) || math.IsNaN(f)) {
		return errors.New(oneLine(node.Value) + " is not a number")
	}
	return nil
}

func describe(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch node.ShortTag() {
	case "!!null":
		return "empty"
	case "!!str":
		return fmt.Sprintf("the text %q", short(node.Value))
	}
	return oneLine(node.Value)
}

func quoting(node *yaml.Node) string {
	if node.Kind != yaml.ScalarNode || node.ShortTag() == "!!null" {
		return ""
	}
	if node.Value != short(node.Value) {
		return "put it in quotes"
	}
	return fmt.Sprintf("put it in quotes: %q", node.Value)
}
