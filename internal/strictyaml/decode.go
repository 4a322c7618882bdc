// SPDX-License-Identifier: Apache-2.0

// Package strictyaml reads YAML that people write: what is unknown, doubled or
// of the wrong type is refused with file, line, column and the nearest right
// name, and places can be looked up later.
package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// Document is where everything was in a file.
type Document struct {
	file string
	root *yaml.Node
}

// Decode reads the one document in data into the struct that into points at.
// The fields' names are their yaml tags. file is for errors only.
//
// Types that read themselves from text (encoding.TextUnmarshaler) have to be
// text. Under fields of type any or map[string]any everything that JSON knows
// is allowed.
func Decode(file string, data []byte, into any) (*Document, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%s: it is empty", file)
	case err != nil:
		return nil, syntaxError(file, err)
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		return nil, fmt.Errorf("%s: a second document begins here, and there may be one", position(file, &second))
	case !errors.Is(err, io.EOF):
		return nil, syntaxError(file, err)
	}
	root := document.Content[0]
	c := checker{file: file, seen: make(map[visit]bool)}
	if err := c.check(root, reflect.TypeOf(into).Elem(), ""); err != nil {
		return nil, err
	}
	if err := document.Decode(into); err != nil {
		return nil, syntaxError(file, err)
	}
	return &Document{file: file, root: root}, nil
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:unmarshal errors:\s*)?line (\d+): ([^\n]*)`)

// syntaxError turns the library's "yaml: line 3: ..." into "file:3: ...".
func syntaxError(file string, err error) error {
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		return fmt.Errorf("%s:%s: %s", file, m[1], m[2])
	}
	text, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "yaml: "), "\n")
	return fmt.Errorf("%s: %s", file, text)
}
