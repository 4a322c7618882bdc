// SPDX-License-Identifier: Apache-2.0

// Package fieldpath is the one grammar of the places of fields in objects: rules of
// add-ons, differences and faults are written in it.
package fieldpath

import (
	"fmt"
	"strconv"
	"strings"
)

// Path is the place of a field in an object: spec.containers[name=web].image,
// spec.args[1] or metadata.annotations["a.b/c"]. It begins with a key. What String
// writes Parse reads.
type Path []Step

// Step is a key of a map, or an item of a list: by one of its fields or by its index.
type Step struct {
	Key   string // "" for an item by its index
	Is    string // with Item and Key: the value of the item's field Key, as Text writes it
	Item  bool
	Index int
}

func (p Path) String() string {
	var b strings.Builder
	for _, step := range p {
		switch {
		case step.Item && step.Key == "":
			fmt.Fprintf(&b, "[%d]", step.Index)
		case step.Item && bare(step.Is):
			fmt.Fprintf(&b, "[%s=%s]", step.Key, step.Is)
		case step.Item:
			fmt.Fprintf(&b, "[%s=%q]", step.Key, step.Is)
		case !plain(step.Key, b.Len() == 0):
			fmt.Fprintf(&b, "[%q]", step.Key)
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(step.Key)
		}
	}
	return b.String()
}

// Identifies reports whether an object is known by the field, or by what is in it: a
// rule cannot leave that to others.
func (p Path) Identifies() bool {
	switch p[0].Key {
	case "apiVersion", "kind":
		return true
	case "metadata":
		return len(p) == 1 || p[1].Key == "name" || p[1].Key == "namespace"
	}
	return false
}

// Join is the path of the key below the field at path, which may be "".
func Join(path, key string) string {
	switch {
	case !plain(key, path == ""):
		return path + "[" + strconv.Quote(key) + "]"
	case path == "":
		return key
	}
	return path + "." + key
}

// plain reports whether a key needs no quotes: it is a word, in which only what stands
// behind a dot may begin with a digit. A number alone would read like an index.
func plain(key string, first bool) bool { return key != "" && word(key, first) == len(key) }

// word is the length of the plain key at the beginning of text; 0 for none.
func word(text string, first bool) int {
	size, number := 0, true
	for size < len(text) {
		c := text[size]
		digit := '0' <= c && c <= '9'
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == '$'
		if !digit && !letter && c != '-' || first && size == 0 && !letter {
			break
		}
		number = number && digit
		size++
	}
	if number {
		return 0
	}
	return size
}

// bare reports whether the value of an item's field needs no quotes.
func bare(value string) bool {
	return value != "" && !strings.ContainsRune(value, ']') && strconv.Quote(value) == `"`+value+`"`
}
