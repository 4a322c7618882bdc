// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// ValueError is about one value that an environment sets, or fails to set.
type ValueError struct {
	Addon string
	Path  []any // from the root of the values: string keys and int indexes
	Msg   string
	Hint  string // for whoever attaches it

	Missing bool // it has no default, and an environment has to give it
}

func (e *ValueError) Error() string {
	return fmt.Sprintf("value %s of add-on %s: %s", pathString(e.Path), e.Addon, e.Msg)
}

func pathString(path []any) string {
	var b strings.Builder
	for _, step := range path {
		switch step := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", step)
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			fmt.Fprint(&b, step)
		}
	}
	if b.Len() == 0 {
		return "(all)"
	}
	return b.String()
}

// validate checks merged values. Without a schema, what an environment gives
// has to be among the defaults.
func (a *Addon) validate(merged, given map[string]any) error {
	if a.schema == nil {
		return a.validateNames(given)
	}
	var invalid *jsonschema.ValidationError
	switch err := a.schema.Validate(merged); {
	case errors.As(err, &invalid):
		return errors.Join(a.leaves(invalid, merged)...)
	case err != nil:
		return fmt.Errorf("checking the values of add-on %s: %w", a.Name, err)
	}
	return nil
}

func (a *Addon) validateNames(given map[string]any) error {
	var errs []error
	for name := range given {
		if _, ok := a.Values[name]; !ok {
			errs = append(errs, a.unknownValue(nil, name, a.Values))
		}
	}
	slices.SortFunc(errs, func(x, y error) int { return strings.Compare(x.Error(), y.Error()) })
	return errors.Join(errs...)
}

func (a *Addon) unknownValue(at []any, name string, known map[string]any) *ValueError {
	return &ValueError{Addon: a.Name, Path: append(at[:len(at):len(at)], name), Msg: "there is no such value", Hint: suggest(name, known)}
}

// leaves gives the ends of the tree of errors: what is wrong, not what follows.
func (a *Addon) leaves(e *jsonschema.ValidationError, merged map[string]any) []error {
	if _, isChoice := e.ErrorKind.(*kind.OneOf); len(e.Causes) > 0 && !isChoice {
		var errs []error
		for _, cause := range e.Causes {
			errs = append(errs, a.leaves(cause, merged)...)
		}
		return errs
	}
	at := typedPath(e.InstanceLocation, merged)
	if extra, ok := e.ErrorKind.(*kind.AdditionalProperties); ok {
		defaults, _ := valueAt(a.Values, at).(map[string]any)
		var errs []error
		for _, name := range slices.Sorted(slices.Values(extra.Properties)) {
			errs = append(errs, a.unknownValue(at, name, defaults))
		}
		return errs
	}
	_, missing := e.ErrorKind.(*kind.Required)
	printer := message.NewPrinter(language.English)
	return []error{&ValueError{Addon: a.Name, Path: at, Msg: e.ErrorKind.LocalizedString(printer), Missing: missing, Hint: meaning(a.schema, at)}}
}

// meaning is what the schema says of a value; "" where it says nothing.
func meaning(s *jsonschema.Schema, at []any) string {
	for s != nil && s.Ref != nil {
		s = s.Ref
	}
	if s == nil || len(at) == 0 {
		return ""
	}
	name, _ := at[0].(string)
	below := s.Properties[name]
	if len(at) == 1 && below != nil {
		return below.Description
	}
	return meaning(below, at[1:])
}

// typedPath turns a JSON pointer's steps into keys and indexes.
func typedPath(steps []string, root any) []any {
	path := make([]any, 0, len(steps))
	for _, step := range steps {
		if _, isList := valueAt(root, path).([]any); isList {
			if i, err := strconv.Atoi(step); err == nil {
				path = append(path, i)
				continue
			}
		}
		path = append(path, step)
	}
	return path
}

func valueAt(root any, path []any) any {
	for _, step := range path {
		switch node := root.(type) {
		case map[string]any:
			key, _ := step.(string)
			root = node[key]
		case []any:
			i, ok := step.(int)
			if !ok || i < 0 || i >= len(node) {
				return nil
			}
			root = node[i]
		default:
			return nil
		}
	}
	return root
}
