// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"bytes"
	"fmt"
	"sync"

	"gopkg.in/yaml.v3"

	"clusterup.dev/clusterup/internal/fieldpath"
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
	steps, _ := fieldpath.Parse(path) // as far as it can be read
	for _, step := range steps {
		key, value := child(found, step)
		if value == nil && step.Key == "data" {
			key, value = member(found, "stringData")
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
func child(node *yaml.Node, step fieldpath.Step) (key, value *yaml.Node) {
	node = aliased(node)
	switch {
	case !step.Item:
		return member(node, step.Key)
	case node == nil || node.Kind != yaml.SequenceNode:
		return nil, nil
	}
	for i, item := range node.Content {
		if step.Key == "" && i == step.Index {
			return item, item
		}
		if _, name := member(aliased(item), step.Key); step.Key != "" && name != nil && name.Value == step.Is {
			return item, item
		}
	}
	return nil, nil
}

func aliased(node *yaml.Node) *yaml.Node {
	for node != nil && node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node
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

// Fault is an error about the field of an object, with its place.
func (o Object) Fault(path, format string, args ...any) error {
	file, line := o.Place(path)
	return fault(file, line, "%s", fmt.Sprintf(format, args...))
}
