// SPDX-License-Identifier: Apache-2.0

package crd

import (
	"fmt"

	"clusterup.dev/clusterup/internal/fieldpath"
)

// path is the place of a field, as diff prints it. The zero value is the object
// itself.
type path string

const root path = ""

func (p path) String() string {
	if p == "" {
		return "the object"
	}
	return string(p)
}

func (p path) key(name string) path { return path(fieldpath.Join(string(p), name)) }

func (p path) item(i int) path { return p + path(fmt.Sprintf("[%d]", i)) }

// raw adds what is a path already.
func (p path) raw(text string) path {
	switch {
	case p == "":
		return path(text)
	case text == "" || text[0] == '[':
		return p + path(text)
	}
	return p + "." + path(text)
}
