// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"fmt"
	"slices"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/custody"
)

// dealStep gives holders with PGP keys their shares. Vault seals those, in a rekey, so
// that this process never sees one; until then a throwaway share of the runner's opens
// Vault. It goes on with what a killed run left, and deletes the throwaway share
// last.
type dealStep struct{ v *Vault }

// DealStep is the step that vault/deliver needs where holders have PGP keys.
const DealStep = "vault/deal"

// ConfigureStep is the step that DealStep needs.
const ConfigureStep = "vault/configure"

// DealStep returns vault/deal, for a Vault whose holders have PGP keys: see SealsToPGP.
func (v *Vault) DealStep() converge.Step { return dealStep{v} }

// SealsToPGP reports whether the holders have PGP keys. All have, or none.
func (v *Vault) SealsToPGP() bool {
	return slices.ContainsFunc(v.cfg.Holders, func(h custody.Holder) bool { return !h.PGP.IsZero() })
}

func (dealStep) Name() string { return DealStep }

func (s dealStep) Plan(ctx context.Context) (converge.Plan, error) {
	_, journal, err := s.v.records(ctx)
	if err != nil {
		return converge.Plan{}, err
	}
	if journal.State != custody.Revoked {
		return converge.Plan{After: ConfigureStep}, nil
	}
	var plan converge.Plan
	add := func(subject string, action converge.Action, note string) {
		plan.Changes = append(plan.Changes, converge.Change{Subject: subject, Action: action, Note: note})
	}
	if set, ok := journal.Undecided(); ok && set.PGP() {
		add(s.v.cfg.Settings.keys(), converge.Run, "a deal was cut off: find out which Vault takes")
	}
	if journal.Provisional() {
		add(s.v.cfg.Settings.keys(), converge.Run, "have Vault seal them to PGP keys: "+s.v.Deal())
		add("throwaway "+s.v.cfg.Settings.keys(), converge.Delete, "once the holders' are stored and read back")
	} else if _, ok := journal.Leftover(); ok {
		add("Vault's copy of the sealed "+s.v.cfg.Settings.keys(), converge.Delete, "they are stored for their holders")
	}
	plan.Basis = journal
	return plan, nil
}

func (s dealStep) Apply(ctx context.Context, p converge.Plan) error {
	was, ok := p.Basis.(custody.Journal)
	if !ok {
		return converge.ErrStale
	}
	escrow, journal, err := s.v.records(ctx)
	if err != nil {
		return err
	}
	if !journal.Same(was) {
		return fmt.Errorf("the deal of Vault's key shares: %w", converge.ErrStale)
	}
	h, err := escrow.Collect(ctx, journal.Shareholding())
	if err != nil {
		return err
	}
	defer h.Wipe()
	if set, ok := journal.Undecided(); ok && set.PGP() {
		if _, err := s.v.decidePGP(ctx, escrow, set, h, true); err != nil {
			return err
		}
		if journal, err = escrow.Read(ctx); err != nil {
			return err
		}
	}
	if journal.Provisional() {
		// Nobody but whoever opens the throwaway share can be rekeying: what is under
		// way is what a killed run began.
		if err := s.v.rekeyPGP(ctx, escrow, journal, h, true); err != nil {
			return err
		}
	}
	return s.v.tidyPGP(ctx, escrow)
}

// Destroy has nothing to remove.
func (dealStep) Destroy(context.Context) error { return nil }

// checkPGP refuses, before anything is made, PGP keys that Vault could not seal to.
func (v *Vault) checkPGP(now time.Time) error {
	for _, h := range v.cfg.Holders {
		if h.PGP.IsZero() {
			continue
		}
		if err := h.PGP.Usable(now); err != nil {
			return fmt.Errorf("the key of %s: %w", h.Name, err)
		}
	}
	return nil
}

// firstHolders are those whom the init deals to: the holders, or, where Vault has to seal for
// them, whoever runs, with what is thrown away afterwards. That has another number of
// shares than the holders', so that Vault's own word tells the two apart.
func (v *Vault) firstHolders(escrow *custody.Escrow) (holders []custody.Holder, shares, threshold int) {
	if !v.SealsToPGP() {
		return v.cfg.Holders, v.shares(), v.cfg.Settings.Threshold
	}
	n := 1
	if v.shares() == 1 {
		n = 2
	}
	runner := escrow.Runner
	runner.Shares, runner.Throwaway = n, true
	return []custody.Holder{runner}, n, n
}
