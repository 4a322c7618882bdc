// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/custody"
)

// deliverStep sends the sealed shares to their holders, besides the bucket. It
// stands on the init alone, and nothing stands on it: a mail server that is down
// keeps no Vault sealed, and the next run tries again.
type deliverStep struct{ v *Vault }

func (deliverStep) Name() string { return "vault/deliver" }

func (s deliverStep) Plan(ctx context.Context) (converge.Plan, error) {
	_, errands, err := s.errands(ctx)
	if errors.Is(err, errNoShares) {
		return converge.Plan{After: s.after()}, nil
	}
	return converge.Plan{Changes: deliveries(errands)}, err
}

// after is the step that deals the shares.
func (s deliverStep) after() string {
	if s.v.SealsToPGP() {
		return DealStep
	}
	return InitStep
}

func (s deliverStep) errands(ctx context.Context) (*custody.Escrow, []custody.Errand, error) {
	escrow, j, err := s.v.dealt(ctx)
	if err != nil {
		return nil, nil, err
	}
	if j.State == custody.Destroyed || j.Provisional() {
		return nil, nil, errNoShares // the init comes first: a new one, or the old one taken up again
	}
	errands, err := escrow.Errands(ctx, j.Shareholding(), s.v.cfg.Couriers)
	return escrow, errands, err
}

func deliveries(errands []custody.Errand) []converge.Change {
	var changes []converge.Change
	for _, r := range errands {
		changes = append(changes, converge.Change{
			Subject: "key shares of " + r.Holder, Action: converge.Run,
			Note: fmt.Sprintf("send %d, sealed, by %s to %s", r.Shares(), r.Way, r.Address),
		})
	}
	return changes
}

// errandTimeout bounds one delivery.
const errandTimeout = 2 * time.Minute

// Apply makes every delivery that it can, whatever becomes of the others.
func (s deliverStep) Apply(ctx context.Context, p converge.Plan) error {
	escrow, errands, err := s.errands(ctx)
	if err != nil {
		return err
	}
	if !slices.EqualFunc(deliveries(errands), p.Changes, func(a, b converge.Change) bool { return a.Subject == b.Subject && a.Note == b.Note }) {
		return fmt.Errorf("what is to be delivered: %w", converge.ErrStale)
	}
	errs := make([]error, 0, len(errands))
	for _, r := range errands {
		converge.Progress(ctx, "sending the key shares of %s by %s", r.Holder, r.Way)
		errs = append(errs, func() error {
			ctx, cancel := context.WithTimeout(ctx, errandTimeout)
			defer cancel()
			return escrow.Run(ctx, r)
		}())
	}
	return errors.Join(errs...)
}

// Destroy has nothing to take back.
func (deliverStep) Destroy(context.Context) error { return nil }
