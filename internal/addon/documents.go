// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"clusterup.dev/clusterup/internal/hint"
)

// parseDocuments reads what a template rendered. Empty documents give nothing,
// a List gives its items.
func parseDocuments(t *tracker, places bool) ([]Object, error) {
	var objects []Object
	text := t.Bytes()
	for start := 0; start < len(text); {
		end, next, err := documentEnd(text, start)
		if err != nil {
			file, line := t.at(end)
			return nil, fault(file, line, "%v", err)
		}
		found, err := parseDocument(t, start, end, places)
		if err != nil {
			return nil, err
		}
		objects, start = append(objects, found...), next
	}
	return objects, nil
}

// documentEnd finds the separator line that ends the document at start.
func documentEnd(text []byte, start int) (end, next int, err error) {
	for at := start; at < len(text); {
		next := len(text)
		if i := bytes.IndexByte(text[at:], '\n'); i >= 0 {
			next = at + i + 1
		}
		line := string(bytes.TrimRight(text[at:next], " \t\r\n"))
		if rest, ok := strings.CutPrefix(line, "---"); ok || line == "..." {
			switch {
			case rest == "" || line == "..." || strings.HasPrefix(strings.TrimLeft(rest, " \t"), "#"):
				return at, next, nil
			case rest[0] == ' ' || rest[0] == '\t':
				return at, next, fmt.Errorf("a document cannot start on the line of its ---")
			}
		}
		at = next
	}
	return len(text), len(text), nil
}

func parseDocument(t *tracker, start, end int, places bool) ([]Object, error) {
	document := t.Bytes()[start:end]
	file, line := t.at(start + contentStart(document))
	content, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return nil, yamlFault(t, start, end, err)
	}
	var parsed any
	if err := utiljson.Unmarshal(content, &parsed); err != nil {
		return nil, fault(file, line, "reading the document: %v", err)
	}
	if parsed == nil {
		return nil, nil
	}
	object, ok := parsed.(map[string]any)
	if !ok {
		return nil, fault(file, line, "the document is not an object but %s", typeName(parsed))
	}
	o := Object{Unstructured: &unstructured.Unstructured{Object: object}, File: file, Line: line}
	if places {
		o.text = newText(t, start, end)
	}
	return flatten(o)
}

// contentStart is where the first line begins that is neither empty nor a comment.
func contentStart(document []byte) int {
	at := 0
	for line := range bytes.Lines(document) {
		if trimmed := bytes.TrimSpace(line); len(trimmed) > 0 && trimmed[0] != '#' {
			return at
		}
		at += len(line)
	}
	return 0
}

// yamlLine is how the YAML library says where.
var yamlLine = regexp.MustCompile(`(?s)^(?:yaml: )?(?:unmarshal errors:\s*)?line (\d+): ([^\n]*)`)

// yamlFault places the YAML parser's error, which counts the rendered lines of
// the document, at the template's line.
func yamlFault(t *tracker, start, end int, err error) error {
	text := plainYAML(err)
	offset := start
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		text = m[2]
		n, _ := strconv.Atoi(m[1])
		for ; n > 1; n-- {
			i := bytes.IndexByte(t.Bytes()[offset:end], '\n')
			if i < 0 || offset+i+1 >= end {
				break
			}
			offset += i + 1
		}
	} else {
		offset += contentStart(t.Bytes()[start:end])
	}
	file, line := t.at(offset)
	advice := ""
	if strings.Contains(text, "cannot start any token") || strings.Contains(text, "mapping values are not allowed") {
		advice = "a value with special characters needs quotes, and what is included needs nindent"
	}
	return hint.With(fault(file, line, "not valid YAML once rendered: %s", text), "%s", advice)
}

func flatten(o Object) ([]Object, error) {
	items, isList := o.Object["items"]
	if o.GetKind() != "List" || o.GetAPIVersion() != "v1" {
		return []Object{o}, checkObject(o)
	}
	list, ok := items.([]any)
	if !ok && isList && items != nil {
		return nil, fault(o.File, o.Line, "the items of the List are %s", typeName(items))
	}
	var objects []Object
	for i, item := range list {
		object, ok := item.(map[string]any)
		if !ok {
			return nil, fault(o.File, o.Line, "item %d of the List is not an object but %s", i, typeName(item))
		}
		one := Object{Unstructured: &unstructured.Unstructured{Object: object}, File: o.File, Line: o.Line, text: o.text}
		one.items = append(slices.Clone(o.items), i)
		if o.text != nil {
			one.File, one.Line = one.Place("apiVersion")
		}
		found, err := flatten(one)
		if err != nil {
			return nil, err
		}
		objects = append(objects, found...)
	}
	return objects, nil
}

func typeName(value any) string {
	switch value.(type) {
	case nil:
		return "empty"
	case map[string]any:
		return "a mapping"
	case []any:
		return "a list"
	case string:
		return "text"
	case bool:
		return "a boolean"
	}
	return "a number"
}
