// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/consul/api"
	"golang.org/x/sync/errgroup"

	"clusterup.dev/clusterup/internal/converge"
)

// parallel bounds the calls in flight on the one connection.
const parallel = 16

// live is what Consul holds. It is one request for each kind, however many
// there are, and one for each policy that is asked for: a list lacks rules.
type live struct {
	listed   []*api.ACLPolicyListEntry
	policies map[string]*api.ACLPolicy // those asked for, by name
	roles    []*api.ACLRole
	tokens   []*api.ACLTokenListEntry // with their secrets
	rules    []*api.ACLBindingRule
	method   *api.ACLAuthMethod // nil: there is none

	reviewer *Reviewer // what the auth method should have; nil: none is asked for
	notYet   error     // why that is not known yet; it wraps converge.ErrNotYet
}

var errNotBootstrapped = errors.New("the ACLs of Consul are not bootstrapped yet")

// errReviewer says that Kubernetes, not Consul, refused something.
var errReviewer = errors.New("read what the auth method asks Kubernetes with")

// look reads everything side by side: the rules of these policies, and what the
// auth method should have if review says so.
func (s *session) look(ctx context.Context, asked []Policy, review func(context.Context) (Reviewer, error)) (*live, error) {
	l := &live{policies: make(map[string]*api.ACLPolicy)}
	works := true
	policies := make([]*api.ACLPolicy, len(asked))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	ask := func(what string, f func(acl *api.ACL, q *api.QueryOptions) error) {
		group.Go(func() error {
			return known(s.read(ctx, func(ctx context.Context, server *api.Client) error {
				return f(server.ACL(), (&api.QueryOptions{}).WithContext(ctx))
			}), what)
		})
	}
	group.Go(func() (err error) {
		works, err = s.bootstrapped(ctx)
		return err
	})
	ask("policies", func(acl *api.ACL, q *api.QueryOptions) (err error) { l.listed, _, err = acl.PolicyList(q); return err })
	ask("roles", func(acl *api.ACL, q *api.QueryOptions) (err error) { l.roles, _, err = acl.RoleList(q); return err })
	ask("tokens", func(acl *api.ACL, q *api.QueryOptions) (err error) { l.tokens, _, err = acl.TokenList(q); return err })
	ask("binding rules", func(acl *api.ACL, q *api.QueryOptions) (err error) {
		l.rules, _, err = acl.BindingRuleList("", q)
		return err
	})
	ask("auth method "+authMethod, func(acl *api.ACL, q *api.QueryOptions) (err error) {
		l.method, _, err = acl.AuthMethodRead(authMethod, q)
		return present(err)
	})
	for i, policy := range asked {
		ask("policy "+policy.Name, func(acl *api.ACL, q *api.QueryOptions) (err error) {
			policies[i], _, err = acl.PolicyReadByName(policy.Name, q)
			return present(err)
		})
	}
	if review != nil {
		group.Go(func() error {
			reviewer, err := review(ctx)
			switch {
			case errors.Is(err, converge.ErrNotYet):
				l.notYet = err
			case err != nil:
				return fmt.Errorf("%w: %w", errReviewer, err)
			default:
				l.reviewer = &reviewer
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if !works {
		return nil, errNotBootstrapped
	}
	for _, policy := range policies {
		if policy != nil {
			l.policies[policy.Name] = policy
		}
	}
	return l, nil
}

// present takes absence for an answer.
func present(err error) error {
	if absent(err) {
		return nil
	}
	return err
}

// known names what could not be read, or says that the management token is not
// known yet.
func known(err error, what string) error {
	switch {
	case err == nil:
		return nil
	case unknownToken(err):
		return errNotBootstrapped
	}
	return fmt.Errorf("read Consul's %s: %w", what, err)
}
