// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

// session is a client with a token.
type session struct {
	*client
	token secret.Value
}

// compare reads every item and returns a change for each that differs, in the
// order of items, nil for those that do not.
func (s session) compare(ctx context.Context, items []item) ([]*converge.Change, error) {
	changes := make([]*converge.Change, len(items))
	group, ctx := errgroup.WithContext(ctx)
	for i, it := range items {
		group.Go(func() error {
			live, there, err := s.read(ctx, it)
			if err != nil {
				return fmt.Errorf("reading %s: %w", it.subject, err)
			}
			changes[i], err = it.change(live, there)
			return err
		})
	}
	return changes, group.Wait()
}

// read gets an item's live fields. What is mounted nowhere is answered with 400
// or 404, depending on the path.
func (s session) read(ctx context.Context, it item) (live map[string]any, there bool, err error) {
	var out struct {
		Data map[string]any `json:"data"`
	}
	err = s.do(ctx, request{method: http.MethodGet, path: cmp.Or(it.list, it.path), token: s.token}, &out)
	switch {
	case isStatus(err, http.StatusNotFound), isStatus(err, http.StatusBadRequest) && strings.HasPrefix(it.path, "sys/"):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	case it.list == "":
		return out.Data, true, nil
	}
	live, there = out.Data[it.key].(map[string]any)
	return live, there, nil
}

// change compares an item with what is there.
func (it item) change(live map[string]any, there bool) (*converge.Change, error) {
	if !there {
		return &converge.Change{Subject: it.subject, Action: converge.Create}, nil
	}
	var fields []converge.Field
	for _, name := range slices.Sorted(maps.Keys(it.want)) {
		if is, want := canonical(live[name]), canonical(it.want[name]); is != want {
			fields = append(fields, converge.Field{Path: name, Old: is, New: want})
		}
	}
	switch {
	case len(fields) == 0:
		return nil, nil
	case it.fixed:
		f := fields[0]
		return nil, hint.With(fmt.Errorf("%s is there with another %s: %s instead of %s", it.subject, f.Path, f.Old, f.New),
			"move it away by hand if nothing needs it: clusterup deletes nothing that may hold data")
	case it.replace:
		return &converge.Change{Subject: it.subject, Action: converge.Replace, Fields: fields}, nil
	}
	return &converge.Change{Subject: it.subject, Action: converge.Update, Fields: fields}, nil
}

// canonical writes a value so that equal ones are equal texts: lists here are
// sets. A string stands for itself, and absent for nothing.
func canonical(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case []any:
		texts := make([]string, 0, len(v))
		for _, e := range v {
			texts = append(texts, canonical(e))
		}
		slices.Sort(texts)
		return strings.Join(texts, ",")
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}

// correct writes what differs, phase by phase.
func (s session) correct(ctx context.Context, items []item, changes []*converge.Change) error {
	for p := range phases {
		group, gctx := errgroup.WithContext(ctx)
		for i, it := range items {
			if it.phase == p && changes[i] != nil {
				group.Go(func() error {
					if err := s.write(gctx, it, changes[i].Action); err != nil {
						return fmt.Errorf("writing %s: %w", it.subject, err)
					}
					return nil
				})
			}
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	return nil
}

func (s session) write(ctx context.Context, it item, action converge.Action) error {
	if action == converge.Replace {
		if err := s.do(ctx, request{method: http.MethodDelete, path: it.path, token: s.token}, nil); err != nil {
			return err
		}
	}
	return s.do(ctx, request{method: http.MethodPost, path: it.path, token: s.token, body: it.want}, nil)
}
