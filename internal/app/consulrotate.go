// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/consul"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

// A rotation makes one more generation of a token, and the ordinary run brings it
// to where it is used. What is left of one that was cut off is seen in the bucket
// and in Consul, so nothing else remembers it: see docs/adr/0019.

// Rotation is what can be rotated, by the argument of the command.
type Rotation string

// The rotations.
const (
	RotateGossip Rotation = "gossip" // the key that members encrypt gossip with
	RotateCerts  Rotation = "certs"  // the certificates that Consul's CA has issued
	RotateCA     Rotation = "ca"     // that CA, and then its certificates
	RotateToken  Rotation = "token"  // the management token
)

// The tokens of the consul add-on that are rotated.
const (
	consulCA        = consulOwner + "/ca"
	consulGossip    = consulOwner + "/gossip"
	consulBootstrap = consulOwner + "/bootstrap"
)

// NextTurn prepares the next run of a rotation and says in a clause what that run
// brings about. more says that another one follows it. first says that no turn of
// this command came before: only then is a rotation begun, and not when what an
// earlier one left has to be ended first. It needs the run lock.
func (s *Session) NextTurn(ctx context.Context, r Rotation, first bool) (what string, more bool, err error) {
	cluster, err := s.Consul()
	if err != nil {
		return "", false, err
	}
	tokens, err := s.tokens(ctx)
	if errors.Is(err, converge.ErrNotYet) {
		return "", false, hint.With(fmt.Errorf("%s has no Consul yet: there is nothing to rotate", s.Name()), "make it with `clusterup create %s`", s.Name())
	}
	if err != nil {
		return "", false, err
	}
	left, err := s.leftOf(ctx, r)
	if err != nil {
		return "", false, err
	}
	if r == RotateCA {
		return s.nextOfCA(ctx, tokens, left, first)
	}
	if left != "" || !first {
		return left + ": this run does that and rotates nothing more; run again for another rotation", false, nil
	}
	specs := s.rotated(r)
	if r == RotateGossip {
		if err := cluster.AwaitGossip(ctx); err != nil {
			return "", false, err
		}
	}
	if err := s.renew(ctx, specs); err != nil {
		return "", false, err
	}
	if r == RotateGossip { // before any Secret has it: whoever starts with it has to be understood
		if err := cluster.UseNewestGossipKey(ctx); err != nil {
			return "", false, err
		}
	}
	return "bringing the new generation of " + strings.Join(ids(specs), ", ") + " to where it is used", false, nil
}

// nextOfCA is the next of three turns: the new CA is trusted beside the old one,
// then certificates are of the new one, then the old one is not trusted any more.
func (s *Session) nextOfCA(ctx context.Context, tokens *secret.Set, left string, first bool) (string, bool, error) {
	number, older := tokens.Generation(consulCA)
	byOld := slices.DeleteFunc(s.rotated(RotateCerts), func(leaf secret.Spec) bool { return tokens.Issuer(leaf.ID()) == number })
	switch {
	case left != "" && first:
		if len(older) == 0 {
			return left + ": this run does that and rotates nothing more; run again for another rotation", false, nil
		}
		return left + ": this run does that before the rotation goes on", true, nil
	case len(older) == 0 && !first:
		return "", false, nil
	case len(older) == 0:
		return "1 of 3: the new CA is trusted beside the old one; servers restart one at a time, agents reload", true, s.renew(ctx, s.rotated(RotateCA))
	case len(byOld) > 0:
		return "2 of 3: certificates are issued by the new CA; servers restart one at a time", true, s.renew(ctx, byOld)
	}
	if err := s.keeper.Retire(ctx, consulCA); err != nil {
		return "", false, err
	}
	s.forgetTokens()
	return "3 of 3: the old CA is not trusted any more; servers restart one at a time, agents reload", false, nil
}

// leftOf says what an earlier rotation has left to do; "" for nothing. It is what
// the steps that end rotations plan.
func (s *Session) leftOf(ctx context.Context, r Rotation) (string, error) {
	enders := map[Rotation][]string{
		RotateToken:  {consul.BootstrapStep},
		RotateGossip: {consul.GossipStep, consul.RetireStep},
		RotateCerts:  {consulOwner + "/apply", consul.RolloutStep},
		RotateCA:     {consulOwner + "/apply", consul.RolloutStep, consul.AgentsStep},
	}
	tokens, err := s.tokens(ctx)
	if err != nil {
		return "", err
	}
	rotatedBefore := func(spec secret.Spec) bool {
		number, _ := tokens.Generation(spec.ID())
		return number > 1
	}
	if !slices.ContainsFunc(s.rotated(r), rotatedBefore) {
		return "", nil
	}
	for _, item := range s.steps() {
		name := item.Step.Name()
		if !slices.Contains(enders[r], name) {
			continue
		}
		plan, err := item.Step.Plan(ctx)
		if err != nil {
			return "", &converge.StepError{Step: name, Err: err}
		}
		if !plan.Empty() {
			return name + " has something to do", nil
		}
	}
	return "", nil
}

// rotated are the tokens of which a rotation makes one more generation.
func (s *Session) rotated(r Rotation) []secret.Spec {
	is := func(id string) func(secret.Spec) bool { return func(spec secret.Spec) bool { return spec.ID() == id } }
	chosen := map[Rotation]func(secret.Spec) bool{
		RotateGossip: is(consulGossip),
		RotateToken:  is(consulBootstrap),
		RotateCA:     is(consulCA),
		RotateCerts:  func(spec secret.Spec) bool { return spec.Kind == secret.Cert && spec.CA == consulCA },
	}[r]
	var specs []secret.Spec
	for _, spec := range s.specs {
		if chosen(spec) {
			specs = append(specs, spec)
		}
	}
	return specs
}

// renew makes the next generation, and forgets what was made from the one before.
// It begins nothing that the run after it would refuse to carry out: a rotation that
// is half done leaves pods that start meanwhile with what others no longer take.
func (s *Session) renew(ctx context.Context, specs []secret.Spec) error {
	planned, err := s.Plan(ctx, "")
	if planned == nil { // what a single step cannot plan holds no other one back
		return fmt.Errorf("nothing was rotated: %w", err)
	}
	if err := s.Allowed(planned); err != nil {
		return err
	}
	if err := s.keeper.Renew(ctx, specs...); err != nil {
		return err
	}
	s.forgetTokens()
	return nil
}

func ids(specs []secret.Spec) []string {
	all := make([]string, 0, len(specs))
	for _, spec := range specs {
		all = append(all, spec.ID())
	}
	return all
}
