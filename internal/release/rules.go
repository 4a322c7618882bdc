// SPDX-License-Identifier: Apache-2.0

package release

import (
	"slices"
	"strings"
)

// Rules are how the objects of an add-on are treated. They are part of the
// release, so that one that is applied again is treated as it was.
// Objects are named "Kind/name", or "Kind" for all of a kind.
type Rules struct {
	Needs   []string `json:"needs,omitempty"`   // add-ons of the release that go before it
	Replace []string `json:"replace,omitempty"` // made anew where a field cannot be changed
	Protect []string `json:"protect,omitempty"` // pruned only when the run allows it
	Ignore  []Ignore `json:"ignore,omitempty"`
	Ready   Ready    `json:"ready,omitzero"`
}

// Ignore names fields that others write once the object exists.
type Ignore struct {
	Object string   `json:"object"`
	Fields []string `json:"fields"`
}

// Ready says when the objects count as ready.
type Ready struct {
	Timeout string        `json:"timeout,omitempty"` // "5m0s"
	Skip    []string      `json:"skip,omitempty"`    // not waited for: a hook does
	Objects []ReadyObject `json:"objects,omitempty"`
}

// ReadyObject is what is special about one object.
type ReadyObject struct {
	Object  string `json:"object"`
	Timeout string `json:"timeout,omitempty"`
	Field   string `json:"field,omitempty"` // has to have the value Is
	Is      string `json:"is,omitempty"`
}

// Protects reports whether the rules protect an object from being pruned.
func (r Rules) Protects(kind, name string) bool {
	return slices.ContainsFunc(r.Protect, func(pattern string) bool { return Names(pattern, kind, name) })
}

// Names reports whether pattern, "Kind/name" or "Kind", names the object.
func Names(pattern, kind, name string) bool {
	k, n, one := strings.Cut(pattern, "/")
	return k == kind && (!one || n == name)
}
