// SPDX-License-Identifier: Apache-2.0

package strictyaml

import (
	"fmt"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// At is "file:line:column" of what a path of keys (string) and indexes (int)
// leads to, or of the nearest thing above it that is there.
func (d *Document) At(path ...any) string {
	node := d.root
	for _, step := range path {
		next := child(node, step)
		if next == nil {
			break
		}
		node = next
	}
	return position(d.file, node)
}

// Errorf is an error about what path leads to.
func (d *Document) Errorf(path []any, format string, args ...any) error {
	return fmt.Errorf("%s: %w", d.At(path...), fmt.Errorf(format, args...))
}

func child(node *yaml.Node, step any) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch key := step.(type) {
	case string:
		if node.Kind != yaml.MappingNode {
			return nil
		}
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == key {
				return node.Content[i+1]
			}
		}
	case int:
		if node.Kind == yaml.SequenceNode && key >= 0 && key < len(node.Content) {
			return node.Content[key]
		}
	}
	return nil
}

func position(file string, node *yaml.Node) string {
	if node.Line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d:%d", file, node.Line, node.Column)
}

func join(path, key string) string {
	key = oneLine(key)
	if path == "" {
		return key
	}
	return path + "." + key
}

// oneLine quotes text that would spoil the one line of an error.
func oneLine(text string) string {
	text = short(text)
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		return fmt.Sprintf("%q", text)
	}
	return text
}

func short(text string) string {
	const most = 60
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}
