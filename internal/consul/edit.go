// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/hashicorp/consul/api"
	"golang.org/x/sync/errgroup"

	"clusterup.dev/clusterup/internal/converge"
)

// An edit is one difference and the call that mends it.
type edit struct {
	change converge.Change
	stage  stage
	apply  func(context.Context, *session) error
	tokens []token // that servers do not know before
}

// stage is when an edit is carried out: what names others comes after them, and
// goes before them.
type stage int

const (
	makePolicies stage = iota
	makeRoles
	makeTokens // and the auth method
	makeRules
	dropRules
	dropTokens // and the auth method
	dropRoles
	dropPolicies
	stages
)

// carryOut carries out edits in their stages, those of a stage side by side.
func (s *session) carryOut(ctx context.Context, edits []edit) error {
	for stage := range stages {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(parallel)
		for _, e := range edits {
			if e.stage == stage {
				group.Go(func() error {
					if err := e.apply(ctx, s); err != nil {
						return fmt.Errorf("%s %s: %w", e.change.Action, e.change.Subject, err)
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

// call is an edit's one request.
func call(f func(acl *api.ACL, w *api.WriteOptions) error) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		return s.write(ctx, func(ctx context.Context, server *api.Client) error {
			return f(server.ACL(), (&api.WriteOptions{}).WithContext(ctx))
		})
	}
}

// gone is call for what is to be deleted: absence is success.
func gone(f func(acl *api.ACL, w *api.WriteOptions) error) func(context.Context, *session) error {
	return call(func(acl *api.ACL, w *api.WriteOptions) error { return present(f(acl, w)) })
}

func changes(edits []edit) []converge.Change {
	var all []converge.Change
	for _, e := range edits {
		all = append(all, e.change)
	}
	return all
}

// within reports whether all of these changes are among those.
func within(these, those []converge.Change) bool {
	return !slices.ContainsFunc(these, func(this converge.Change) bool {
		return !slices.ContainsFunc(those, func(that converge.Change) bool { return reflect.DeepEqual(this, that) })
	})
}

// differ keeps the fields whose sides differ by more than space around them.
func differ(fields ...converge.Field) []converge.Field {
	var kept []converge.Field
	for _, f := range fields {
		if cmp.Compare(strings.TrimSpace(f.Old), strings.TrimSpace(f.New)) != 0 {
			kept = append(kept, f)
		}
	}
	return kept
}
