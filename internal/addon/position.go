// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"fmt"

	"gopkg.in/yaml.v3"
)

func position(file string, node *yaml.Node) string {
	if node == nil || node.Line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d:%d", file, node.Line, node.Column)
}

// lookup follows keys (string) and indexes (int) as far as they lead.
func lookup(node *yaml.Node, path []any) *yaml.Node {
	for _, step := range path {
		next := child(node, step)
		if next == nil {
			return node
		}
		node = next
	}
	return node
}

func child(node *yaml.Node, step any) *yaml.Node {
	if node != nil && node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch key := step.(type) {
	case string:
		if node == nil || node.Kind != yaml.MappingNode {
			return nil
		}
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == key {
				return node.Content[i+1]
			}
		}
	case int:
		if node != nil && node.Kind == yaml.SequenceNode && key >= 0 && key < len(node.Content) {
			return node.Content[key]
		}
	}
	return nil
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func describe(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch node.Tag {
	case "!!null":
		return "empty"
	case "!!str":
		return fmt.Sprintf("the text %q", node.Value)
	}
	return node.Value
}

func quoteHint(node *yaml.Node) string {
	if node.Kind != yaml.ScalarNode || node.Tag == "!!null" {
		return ""
	}
	return fmt.Sprintf("put it in quotes: %q", node.Value)
}
