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

// token is the newest generation of one token. The public half of a ca is those
// of all generations that are trusted, newest first.
type token struct {
	spec   Spec
	secret Value
	public string
	number int   // of the generation, from 1
	older  []int // generations that are stored too, newest first; retired ones left out
}

// Secret is the secret half of a token.
func (s *Set) Secret(id string) (Value, bool) {
	if s == nil {
		return Value{}, false
	}
	t, ok := s.tokens[id]
	return t.secret, ok
}

// Public is the public half: the certificate of a cert, those of all generations
// of a ca that are trusted, the accessor id of an acl-token, empty for kinds
// without one.
func (s *Set) Public(id string) (string, bool) {
	if s == nil {
		return "", false
	}
	t, ok := s.tokens[id]
	return t.public, ok
}

// Generation is the number of the newest generation, from 1, and those of the
// older ones that are not retired, newest first.
func (s *Set) Generation(id string) (number int, older []int) {
	if s == nil {
		return 0, nil
	}
	t := s.tokens[id]
	return t.number, t.older
}

// IDs lists the tokens, sorted.
func (s *Set) IDs() []string {
	if s == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(s.tokens))
}

// With is the Set and one more token, made elsewhere. The Set itself stays as it is.
func (s *Set) With(spec Spec, value Value, public string) *Set {
	more := &Set{tokens: make(map[string]token)}
	if s != nil {
		maps.Copy(more.tokens, s.tokens)
	}
	more.tokens[spec.ID()] = token{spec: spec, secret: value, public: public}
	return more
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
