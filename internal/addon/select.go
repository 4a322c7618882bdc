// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
)

// SelectError is about one of the names that Select was given.
type SelectError struct {
	Index int // which of the names
	Msg   string
	Hint  string // for whoever attaches it
}

func (e *SelectError) Error() string { return e.Msg }

// Select gives the named add-ons, those that are needed before those that need
// them, otherwise in the order of the names. Errors about a name are a
// *SelectError; an add-on that cannot be loaded is its own error.
func (c *Catalog) Select(names []string) ([]*Addon, error) {
	s := selection{catalog: c, names: names, state: make(map[string]visit)}
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return nil, &SelectError{Index: i, Msg: fmt.Sprintf("add-on %s is listed twice", name)}
		}
		if _, ok := c.entries[name]; !ok {
			return nil, &SelectError{Index: i, Msg: fmt.Sprintf("there is no add-on %s", name), Hint: suggest(name, c.entries)}
		}
	}
	for i := range names {
		if err := s.visit(i, nil); err != nil {
			return nil, err
		}
	}
	return s.ordered, checkAuthorities(s.ordered)
}

type visit int

const (
	visiting visit = iota + 1
	visited
)

type selection struct {
	catalog *Catalog
	names   []string
	state   map[string]visit
	ordered []*Addon
}

func (s *selection) visit(index int, above []string) error {
	name := s.names[index]
	switch s.state[name] {
	case visited:
		return nil
	case visiting:
		cycle := append(above[slices.Index(above, name):len(above):len(above)], name)
		return hint.With(fmt.Errorf("add-ons need each other in a circle: %s", strings.Join(cycle, " needs ")), "take one of the needs away")
	}
	s.state[name] = visiting
	a, err := s.catalog.Get(name)
	if err != nil {
		return err
	}
	for _, need := range a.Needs {
		at := slices.Index(s.names, need)
		switch {
		case at < 0 && slices.Contains(a.Uses, need):
			continue
		case at < 0:
			return s.absent(index, need)
		}
		if err := s.visit(at, append(above[:len(above):len(above)], name)); err != nil {
			return err
		}
	}
	s.state[name] = visited
	s.ordered = append(s.ordered, a)
	return nil
}

func (s *selection) absent(index int, need string) error {
	e := &SelectError{Index: index, Msg: fmt.Sprintf("%s needs %s, which this environment does not list", s.names[index], need)}
	e.Hint = fmt.Sprintf("add %s to the add-ons", need)
	if _, ok := s.catalog.entries[need]; !ok {
		e.Msg = fmt.Sprintf("%s needs %s, and there is no such add-on", s.names[index], need)
		e.Hint = suggest(need, s.catalog.entries)
	}
	return e
}

// checkAuthorities checks certificates whose authority belongs to another add-on.
func checkAuthorities(addons []*Addon) error {
	for _, a := range addons {
		for i, token := range a.Tokens {
			owner, name, _ := strings.Cut(token.CA, "/")
			at := slices.IndexFunc(addons, func(other *Addon) bool { return other.Name == owner })
			if token.CA == "" || at < 0 {
				continue
			}
			if err := a.checkIssuer(field("tokens", i, "ca"), token, addons[at], name); err != nil {
				return err
			}
		}
	}
	return nil
}

// CheckAuthorities checks the certificates of one add-on whose authority belongs
// to one that it needs.
func (c *Catalog) CheckAuthorities(a *Addon) error {
	var errs []error
	for i, token := range a.Tokens {
		owner, name, _ := strings.Cut(token.CA, "/")
		if needed, err := c.Get(owner); err == nil && owner != a.Name {
			errs = append(errs, a.checkIssuer(field("tokens", i, "ca"), token, needed, name))
		}
	}
	return errors.Join(errs...)
}
