// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"
)

// text is the document that an object was read from. It is kept only where
// places of single fields are wanted.
type text struct {
	tracker    *tracker
	start, end int
	root       func() *yaml.Node
}

func newText(t *tracker, start, end int) *text {
	return &text{tracker: t, start: start, end: end, root: sync.OnceValue(func() *yaml.Node {
		var document yaml.Node
		if yaml.Unmarshal(t.Bytes()[start:end], &document) != nil || len(document.Content) == 0 {
			return nil
		}
		return document.Content[0]
	})}
}

// Place says which line of which template gave the field at path, which is
// written as diff does: spec.ports[0].port, metadata.labels["a/b"]. A field that
// is not there has the place of the nearest thing above it; an object that was
// rendered without Input.Places, the one of the object.
func (o Object) Place(path string) (file string, line int) {
	if o.text == nil {
		return o.File, o.Line
	}
	node := o.text.root()
	for _, i := range o.items {
		if _, node = member(node, "items"); node == nil || i >= len(node.Content) {
			return o.File, o.Line
		}
		node = node.Content[i]
	}
	at, found := 0, node
	for _, step := range steps(path) {
		key, value := child(found, step)
		if value == nil && step == "data" {
			key, value = child(found, "stringData")
		}
		if value == nil {
			break
		}
		found, at = value, key.Line
	}
	if at == 0 {
		return o.File, o.Line
	}
	return o.text.place(at)
}

// place is the origin of a line of the document.
func (t *text) place(line int) (string, int) {
	offset := t.start
	for range line - 1 {
		next := bytes.IndexByte(t.tracker.Bytes()[offset:t.end], '\n')
		if next < 0 {
			break
		}
		offset += next + 1
	}
	rest := t.tracker.Bytes()[offset:t.end]
	return t.tracker.at(offset + len(rest) - len(bytes.TrimLeft(rest, " ")))
}

// child gives the node of a field or an item, and the node that says where it
// begins.
func child(node *yaml.Node, step any) (key, value *yaml.Node) {
	for node != nil && node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch step := step.(type) {
	case string:
		return member(node, step)
	case int:
		if node != nil && node.Kind == yaml.SequenceNode && step < len(node.Content) {
			return node.Content[step], node.Content[step]
		}
	}
	return nil, nil
}

func member(node *yaml.Node, name string) (key, value *yaml.Node) {
	if node == nil || node.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == name {
			return node.Content[i], node.Content[i+1]
		}
	}
	return nil, nil
}

// steps takes a path apart: names as strings, numbers of items as ints. What
// cannot be read ends it.
func steps(path string) []any {
	var all []any
	for path != "" {
		switch {
		case path[0] == '.':
			path = path[1:]
		case strings.HasPrefix(path, `["`):
			quoted, err := strconv.QuotedPrefix(path[1:])
			name, err2 := strconv.Unquote(quoted)
			if err != nil || err2 != nil {
				return all
			}
			all, path = append(all, name), strings.TrimPrefix(path[1+len(quoted):], "]")
		case path[0] == '[':
			end := strings.IndexByte(path, ']')
			i, err := strconv.Atoi(path[1:max(end, 1)])
			if err != nil || i < 0 {
				return all
			}
			all, path = append(all, i), path[end+1:]
		default:
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				end = len(path)
			}
			all, path = append(all, path[:end]), path[end:]
		}
	}
	return all
}

// Fault is an error about the field of an object, with its place.
func (o Object) Fault(path, format string, args ...any) error {
	file, line := o.Place(path)
	return fault(file, line, "%s", fmt.Sprintf(format, args...))
}
