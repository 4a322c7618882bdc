// SPDX-License-Identifier: Apache-2.0

package coredns

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

// step keeps the block. It does not wait for CoreDNS to read it: that takes up
// to two minutes, which nothing else of a run stands on.
type step struct{ *DNS }

func (s step) Name() string { return s.Config.Step }

// Plan names what of the block differs.
func (s step) Plan(ctx context.Context) (converge.Plan, error) {
	e, err := s.edit(ctx, s.Wanted)
	if err != nil {
		return converge.Plan{}, err
	}
	return converge.Plan{Changes: e.changes}, nil
}

// Apply writes the block with what others wrote meanwhile around it.
func (s step) Apply(ctx context.Context, p converge.Plan) error {
	if p.Empty() {
		return nil
	}
	return s.carryOut(ctx, s.Wanted, func(e edit) bool { return reflect.DeepEqual(e.changes, p.Changes) })
}

// Destroy takes out the block of this environment.
func (s step) Destroy(ctx context.Context) error {
	err := s.carryOut(ctx, false, func(edit) bool { return true })
	if errors.Is(err, converge.ErrNotYet) { // there is no cluster
		return nil
	}
	return err
}

// tries bounds how often a Corefile is read again that others are writing.
const tries = 5

func (s step) carryOut(ctx context.Context, wanted bool, planned func(edit) bool) error {
	for range tries {
		e, err := s.edit(ctx, wanted)
		switch {
		case err != nil || len(e.changes) == 0:
			return err
		case !planned(e):
			return converge.ErrStale
		}
		if err := s.Cluster.Replace(ctx, e.was, e.text); !errors.Is(err, converge.ErrStale) {
			return err
		}
	}
	return fmt.Errorf("%s changes too fast: %w", s.Object, converge.ErrStale)
}

// edit is what would be written, and why.
type edit struct {
	was     File
	text    string
	changes []converge.Change
}

// edit compares the Corefile with what is wanted.
func (s step) edit(ctx context.Context, wanted bool) (edit, error) {
	was, err := s.Cluster.Corefile(ctx)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !wanted:
		return edit{}, nil
	case errors.Is(err, fs.ErrNotExist):
		return edit{}, hint.With(fmt.Errorf("%s is not there or has no Corefile", s.Object), "%s", s.Hint)
	case err != nil:
		return edit{}, err
	}
	now, err := cut(was.Text, s.Domain)
	if err != nil {
		return edit{}, s.explain(err)
	}
	switch of := owner(now.block, s.Domain); {
	case now.block == "" || of == s.Environment:
	case !wanted:
		return edit{}, nil // another environment's
	default:
		return edit{}, hint.With(fmt.Errorf("%s: names of %s are served for the environment %q", s.Object, s.Domain, of),
			"two environments cannot both have them in one cluster: switch it off in one of them, or delete the block if that environment is gone")
	}
	block := ""
	if wanted {
		address, err := s.Cluster.Address(ctx)
		if err != nil {
			return edit{}, err
		}
		if address == "" {
			return edit{}, fmt.Errorf("the address of %s: %w", s.Service, converge.ErrNotYet)
		}
		block = s.block(address)
	}
	if now.block == block {
		return edit{was: was, text: was.Text}, nil
	}
	made, err := now.with(block, s.Domain)
	if err != nil {
		return edit{}, s.explain(err)
	}
	return edit{was: was, text: made.String(), changes: []converge.Change{s.change(now.block, block)}}, nil
}

func (s step) change(was, becomes string) converge.Change {
	c := converge.Change{Subject: s.Object, Action: converge.Update, Note: "names of " + s.Domain + " go to " + s.Service}
	if becomes == "" {
		c.Note = "names of " + s.Domain + " go nowhere any more"
	}
	c.Fields = []converge.Field{{Path: "data.Corefile, block " + s.Domain, Old: body(was), New: body(becomes)}}
	if c.Fields[0].Old == c.Fields[0].New { // an edit of the marks alone
		c.Fields[0] = converge.Field{Path: "data.Corefile, block " + s.Domain, Old: was, New: becomes}
	}
	return c
}

// explain says what the reader can do about a Corefile that cannot be changed.
func (s step) explain(err error) error {
	err = fmt.Errorf("%s: its Corefile: %w", s.Object, err)
	var taken *TakenError
	switch {
	case errors.As(err, &taken):
		return hint.With(err, "take that block out of it, or switch this off: %s", s.Hint)
	case errors.Is(err, errDamaged):
		return hint.With(err, "delete what is left between %q and %q, and run again", firstMark(s.Domain)+"…", lastMark)
	}
	return hint.With(err, "correct it: CoreDNS could not read it either")
}
