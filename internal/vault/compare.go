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

// found is what a comparison gave.
type found struct {
	changes []*converge.Change // one an item, nil for those that do not differ
	unseen  []bool             // which of them clusterup's policy, which differs itself, did not let it read
	notices []string           // what only a person can put right
}

// unseenNote stands where a comparison has to wait.
const unseenNote = "if it differs: it can be read once the policy " + ownRole + " is corrected"

// compare reads every item, in the order of items.
func (s session) compare(ctx context.Context, items []item) (found, error) {
	lists := s.lists(ctx, items)
	f := found{changes: make([]*converge.Change, len(items)), unseen: make([]bool, len(items))}
	denied, notices := make([]error, len(items)), make([]string, len(items))
	group, gctx := errgroup.WithContext(ctx)
	for i, it := range items {
		group.Go(func() error {
			live, there, err := s.read(gctx, it, lists)
			switch {
			case isStatus(err, http.StatusForbidden):
				denied[i] = fmt.Errorf("reading %s: %w", it.subject, err)
				return nil
			case err != nil:
				return fmt.Errorf("reading %s: %w", it.subject, err)
			}
			f.changes[i], notices[i], err = it.judge(gctx, live, there)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return f, err
	}
	own := slices.IndexFunc(items, func(it item) bool { return it.phase == allowing })
	for i, err := range denied {
		if err == nil {
			continue
		}
		if own < 0 || f.changes[own] == nil {
			return f, err
		}
		f.unseen[i] = true
		f.changes[i] = &converge.Change{Subject: items[i].subject, Action: converge.Update, Note: unseenNote}
	}
	f.notices = slices.DeleteFunc(notices, func(n string) bool { return n == "" })
	return f, nil
}

// listing is a list that the API gives whole.
type listing struct {
	entries map[string]any
	err     error
}

// lists reads those that items stand in, each once.
func (s session) lists(ctx context.Context, items []item) map[string]listing {
	all := map[string]listing{}
	for _, it := range items {
		for _, path := range []string{it.list, it.of} {
			if _, done := all[path]; !done && path != "" {
				var l listing
				l.entries, _, l.err = s.get(ctx, path)
				all[path] = l
			}
		}
	}
	return all
}

// read gets an item's live fields. What is in a mount that is not there is not
// there either.
func (s session) read(ctx context.Context, it item, lists map[string]listing) (live map[string]any, there bool, err error) {
	if it.list != "" {
		l := lists[it.list]
		live, there = l.entries[it.key].(map[string]any)
		return live, there, l.err
	}
	if l := lists[it.of]; it.mount != "" && l.err == nil && l.entries[it.mount] == nil {
		return nil, false, nil
	}
	if it.special != nil {
		return it.special.read(ctx, s)
	}
	return s.get(ctx, cmp.Or(it.from, it.path))
}

// get reads a path; what is not there is answered with 404, or with nothing.
func (s session) get(ctx context.Context, path string) (data map[string]any, there bool, err error) {
	var out struct {
		Data map[string]any `json:"data"`
	}
	err = s.do(ctx, request{method: http.MethodGet, path: path, token: s.token}, &out)
	if isStatus(err, http.StatusNotFound) {
		return nil, false, nil
	}
	return out.Data, err == nil && out.Data != nil, err
}

// judge says what differs: a change, or a notice where only a person can put it right.
func (it item) judge(ctx context.Context, live map[string]any, there bool) (c *converge.Change, notice string, err error) {
	if it.special != nil {
		if c, notice, err = it.special.compare(ctx, it, live); err != nil {
			err = fmt.Errorf("%s: %w", it.subject, err)
		}
		return c, notice, err
	}
	if notice = it.notice(live, there); notice != "" {
		return nil, notice, nil
	}
	c, err = it.change(live, there)
	return c, "", err
}

// notice is what a person has to do about an item; empty where nobody has to.
func (it item) notice(live map[string]any, there bool) string {
	switch fields := it.differences(live); {
	case it.absent != "" && !there:
		return it.subject + " is not there: " + it.absent
	case it.byHand == "", there && len(fields) == 0:
		return ""
	case !there:
		return it.subject + " is not written yet: " + it.byHand
	default:
		return fmt.Sprintf("%s has another %s: %s instead of %s; %s", it.subject, fields[0].Path, fields[0].Old, fields[0].New, it.byHand)
	}
}

// change compares an item with what is there.
func (it item) change(live map[string]any, there bool) (*converge.Change, error) {
	if !there {
		return &converge.Change{Subject: it.subject, Action: converge.Create, Note: it.note}, nil
	}
	fields := it.differences(live)
	switch {
	case len(fields) == 0:
		return nil, nil
	case it.fixed:
		f := fields[0]
		return nil, hint.With(fmt.Errorf("%s is there with another %s: %s instead of %s", it.subject, f.Path, f.Old, f.New),
			"move it away by hand if nothing needs it: clusterup deletes nothing that may hold data")
	case it.replace:
		return &converge.Change{Subject: it.subject, Action: converge.Replace, Note: it.note, Fields: fields}, nil
	}
	return &converge.Change{Subject: it.subject, Action: converge.Update, Note: it.note, Fields: fields}, nil
}

// differences are the fields that are not as they are wanted, by name.
func (it item) differences(live map[string]any) (fields []converge.Field) {
	for _, name := range slices.Sorted(maps.Keys(it.want)) {
		if is, want := canonical(live[name]), canonical(it.want[name]); is != want {
			fields = append(fields, converge.Field{Path: name, Old: is, New: want})
		}
	}
	return fields
}

// canonical writes a value so that equal ones are equal texts: lists here are
// sets. A string stands for itself without the space around it, which Vault drops
// from some, and absent for nothing.
func canonical(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return strings.TrimSpace(v)
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

// correct writes what differs, phase by phase. Once clusterup's own policy is as it
// should be, what could not be read before is compared.
func (s session) correct(ctx context.Context, items []item, f found) error {
	for p := range phases {
		group, gctx := errgroup.WithContext(ctx)
		for i, it := range items {
			if it.phase == p && f.changes[i] != nil {
				group.Go(func() error {
					if err := s.write(gctx, it, f.changes[i].Action); err != nil {
						return fmt.Errorf("writing %s: %w", it.subject, err)
					}
					return nil
				})
			}
		}
		if err := group.Wait(); err != nil {
			return err
		}
		if p == allowing && slices.Contains(f.unseen, true) {
			now, err := s.compare(ctx, items)
			if err != nil {
				return err
			}
			for i := range items {
				if f.unseen[i] {
					f.changes[i] = now.changes[i]
				}
			}
		}
	}
	return nil
}

func (s session) write(ctx context.Context, it item, action converge.Action) error {
	if it.special != nil {
		return it.special.issue(ctx, s)
	}
	if action == converge.Replace {
		if err := s.do(ctx, request{method: http.MethodDelete, path: it.path, token: s.token}, nil); err != nil {
			return err
		}
	}
	return s.do(ctx, request{method: http.MethodPost, path: it.path, token: s.token, body: it.want}, nil)
}
