// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

// managementPolicy is Consul's own policy that allows everything.
const managementPolicy = "global-management"

// bootstrapStep makes the chosen token the management token. The token exists,
// sealed, before Consul is asked, so a call whose answer was lost has cost
// nothing: the token either works or it is asked for again.
type bootstrapStep struct{ *Cluster }

// Name is "consul/bootstrap".
func (bootstrapStep) Name() string { return BootstrapStep }

// Destroy does nothing: ACLs end with Consul's volumes.
func (bootstrapStep) Destroy(context.Context) error { return nil }

// Plan asks whether the chosen token works.
func (b bootstrapStep) Plan(ctx context.Context) (converge.Plan, error) {
	s, err := b.session(ctx)
	if err != nil {
		return converge.Plan{}, err
	}
	run := converge.Change{Subject: "Consul ACLs", Action: converge.Run, Note: "bootstrap with the token " + bootstrapToken}
	works, err := s.bootstrapped(ctx)
	if err == nil {
		rotation, err := s.rotation(ctx, works)
		if err != nil || len(rotation) > 0 {
			return converge.Plan{Changes: rotation}, err
		}
	}
	switch {
	case err != nil && (!mayPass(err) || errors.Is(err, converge.ErrNotYet) || ctx.Err() != nil):
		return converge.Plan{}, err
	case err != nil:
		run.Note += ", unless it has been"
		return converge.Plan{Changes: []converge.Change{
			{Subject: "Consul leader", Action: converge.Wait, Note: err.Error()}, run,
		}}, nil
	case works:
		return converge.Plan{}, nil
	}
	return converge.Plan{Changes: []converge.Change{run}}, nil
}

// Apply waits for a leader and bootstraps. Done twice, or by two at once, it
// comes to the same: the first wins, and both hold the same token.
func (b bootstrapStep) Apply(ctx context.Context, _ converge.Plan) error {
	s, err := b.session(ctx)
	if err != nil {
		return err
	}
	if err := s.awaitLeader(ctx); err != nil {
		return err
	}
	var refused time.Time
	return converge.Until(ctx, "the bootstrap of Consul's ACLs", b.cfg.Timeout, func(ctx context.Context) (bool, string, error) {
		works, err := s.bootstrapped(ctx)
		if err != nil {
			return false, "", impatient(err)
		}
		if done, err := s.rotate(ctx, works); works || done || err != nil {
			return done && err == nil, "", impatient(err)
		}
		err = s.bootstrap(ctx)
		switch {
		case !bootstrapped(err):
			return err == nil, "", impatient(err)
		case refused.IsZero():
			refused = time.Now()
		case time.Since(refused) > inFlight:
			return false, "", converge.Permanent(s.foreign())
		}
		return false, "Consul was bootstrapped; with which token is not known yet", nil
	})
}

// inFlight is how long a bootstrap whose answer was lost, an earlier run's
// perhaps, may take to be seen after Consul has begun to refuse others.
const inFlight = 2 * time.Second

// impatient ends a wait for what waiting cannot mend.
func impatient(err error) error {
	if err == nil || mayPass(err) {
		return err
	}
	return converge.Permanent(err)
}

func mayPass(err error) bool { return transient(err) && !errors.Is(err, errNotManagement) }

var (
	errForeign       = errors.New("the ACLs of this Consul were bootstrapped with another token than " + bootstrapToken)
	errNotManagement = errors.New("the token " + bootstrapToken + " is not a management token any more")
)

// bootstrapped reports whether the chosen token manages this Consul.
func (s *session) bootstrapped(ctx context.Context) (bool, error) {
	var token *api.ACLToken
	err := s.read(ctx, func(ctx context.Context, server *api.Client) (err error) {
		token, _, err = server.ACL().TokenReadSelf((&api.QueryOptions{}).WithContext(ctx))
		return err
	})
	switch {
	case unknownToken(err) || absent(err):
		return false, nil
	case err != nil:
		return false, err
	}
	if !manages(token.Policies) {
		return false, hint.With(errNotManagement,
			"with another management token: consul acl token update -accessor-id %s -append-policy-name %s", token.AccessorID, managementPolicy)
	}
	return true, nil
}

// bootstrap asks for it through the raw API: api.ACL.BootstrapWithToken takes
// no context.
func (s *session) bootstrap(ctx context.Context) error {
	converge.Progress(ctx, "bootstrapping Consul's ACLs")
	return s.write(ctx, func(ctx context.Context, server *api.Client) error {
		request := map[string]string{"BootstrapSecret": s.token.RevealString()}
		_, err := server.Raw().Write("/v1/acl/bootstrap", request, nil, (&api.WriteOptions{}).WithContext(ctx))
		return err
	})
}

func (s *session) foreign() error {
	return hint.With(errForeign, "either its volumes are of another environment, or the bucket is: put the right ones together; to take this Consul over, "+
		"write the reset index that `consul acl bootstrap` names into /consul/data/acl-bootstrap-reset on the leader, and run again")
}

// awaitLeader returns when a server knows who leads.
func (s *session) awaitLeader(ctx context.Context) error {
	return converge.Until(ctx, "a Consul leader", s.cluster.cfg.Timeout, func(ctx context.Context) (bool, string, error) {
		var address string
		err := s.read(ctx, func(ctx context.Context, server *api.Client) (err error) {
			address, err = leader(ctx, server)
			return err
		})
		if err != nil {
			return false, "", impatient(err)
		}
		return address != "", "the servers have not elected one", nil
	})
}
