// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"maps"
	"slices"
)

// Set is the tokens of an environment by ID. It does not change once made; a
// nil Set is empty.
type Set struct {
	tokens map[string]token
}

// token is one generation of one token.
type token struct {
	spec   Spec
	secret Value
	public string
}

// Secret is the secret half of a token.
func (s *Set) Secret(id string) (Value, bool) {
	if s == nil {
		return Value{}, false
	}
	t, ok := s.tokens[id]
	return t.secret, ok
}

// Public is the public half: the certificate of a ca or cert, the accessor id
// of an acl-token, empty for kinds without one.
func (s *Set) Public(id string) (string, bool) {
	if s == nil {
		return "", false
	}
	t, ok := s.tokens[id]
	return t.public, ok
}

// IDs lists the tokens, sorted.
func (s *Set) IDs() []string {
	if s == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(s.tokens))
}

// Values are all the secrets: what must turn up nowhere.
func (s *Set) Values() []Value {
	var values []Value
	for _, id := range s.IDs() {
		values = append(values, s.tokens[id].secret)
	}
	return values
}

// Placeholders is a Set for rendering without a bucket: the secret of
// consul/gossip is "<consul/gossip>", its public half "<public consul/gossip>".
func Placeholders(specs []Spec) *Set {
	set := &Set{tokens: make(map[string]token, len(specs))}
	for _, s := range specs {
		set.tokens[s.ID()] = token{
			spec:   s,
			secret: NewString("<" + s.ID() + ">"),
			public: "<public " + s.ID() + ">",
		}
	}
	return set
}
