// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// parallel bounds the calls in flight on the one connection.
const parallel = 16

// carryOut carries out edits side by side, policies first.
func (s *session) carryOut(ctx context.Context, edits []edit) error {
	for _, policies := range []bool{true, false} {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(parallel)
		for _, e := range edits {
			if e.policy == policies {
				group.Go(func() error {
					if err := e.apply(ctx); err != nil {
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

var errNotBootstrapped = errors.New("the ACLs of Consul are not bootstrapped yet")

// compare reads what is asked for from Consul, side by side, and says what
// differs, in the order of want.
func (s *session) compare(ctx context.Context, want desired) ([]edit, error) {
	policies, tokens := make([]*edit, len(want.policies)), make([]*edit, len(want.tokens))
	works := true
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	group.Go(func() (err error) {
		works, err = s.bootstrapped(ctx)
		return err
	})
	for i, policy := range want.policies {
		group.Go(func() (err error) {
			policies[i], err = s.comparePolicy(ctx, policy)
			return known(err, "policy", policy.Name)
		})
	}
	for i, token := range want.tokens {
		group.Go(func() (err error) {
			tokens[i], err = s.compareToken(ctx, token)
			return known(err, "token", token.id)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if !works {
		return nil, errNotBootstrapped
	}
	var edits []edit
	for _, e := range append(policies, tokens...) {
		if e != nil {
			edits = append(edits, *e)
		}
	}
	return edits, nil
}

// known names what could not be read, or says that the management token is not
// known yet.
func known(err error, kind, name string) error {
	switch {
	case err == nil:
		return nil
	case unknownToken(err):
		return errNotBootstrapped
	}
	return fmt.Errorf("read the Consul %s %s: %w", kind, name, err)
}
