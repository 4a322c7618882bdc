// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"strings"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

// unsealStep opens every sealed replica and sees one active and the rest standby.
type unsealStep struct{ v *Vault }

func (unsealStep) Name() string { return UnsealStep }

func (s unsealStep) Plan(ctx context.Context) (converge.Plan, error) {
	replicas, err := s.v.look(ctx)
	if err != nil {
		return converge.Plan{}, err
	}
	initialised, _, err := answered(replicas)
	if err != nil {
		return converge.Plan{}, err
	}
	if !initialised {
		return converge.Plan{After: "vault/init"}, nil
	}
	var plan converge.Plan
	for _, r := range replicas {
		subject := "Vault " + r.pod.Name
		switch r.state {
		case Sealed, Uninitialised: // a replica may learn of an init a moment later than the others
			if s.v.cfg.Settings.Auto() {
				plan.Changes = append(plan.Changes, converge.Change{Subject: subject, Action: converge.Wait, Note: "it opens itself, by " + s.v.cfg.Settings.seal()})
				continue
			}
			plan.Changes = append(plan.Changes, converge.Change{Subject: subject, Action: converge.Run, Note: "unseal"})
		case Unreachable:
			plan.Changes = append(plan.Changes, converge.Change{Subject: subject, Action: converge.Wait, Note: reason(r)})
		case Active, Standby:
		}
	}
	if _, ok := active(replicas); !ok && plan.Empty() {
		plan.Changes = []converge.Change{{Subject: "Vault", Action: converge.Wait, Note: "no replica is active"}}
	}
	return plan, nil
}

// Apply unseals whatever is sealed until all is well, those replicas too that
// were sealed after the plan was made.
func (s unsealStep) Apply(ctx context.Context, _ converge.Plan) error {
	escrow, journal, err := s.v.records(ctx)
	if err != nil {
		return err
	}
	keys := &keyring{escrow: escrow, journal: journal}
	defer keys.wipe()
	err = converge.Until(ctx, "every replica of Vault to be unsealed", s.v.cfg.Timeout, func(ctx context.Context) (bool, string, error) {
		replicas, err := s.v.look(ctx)
		if err != nil {
			return false, "", err
		}
		if sealed := inState(replicas, Sealed); len(sealed) > 0 && !s.v.cfg.Settings.Auto() {
			if err := keys.unseal(ctx, sealed); err != nil {
				return false, "", err
			}
			if replicas, err = s.v.look(ctx); err != nil {
				return false, "", err
			}
		}
		pending := notServing(replicas)
		return pending == "", pending, nil
	})
	if err != nil && s.v.cfg.Settings.Auto() {
		return hint.With(err, "this Vault opens itself: its log says what keeps it from %s (`kubectl -n %s logs %s -c vault`)", s.v.cfg.Settings.seal(), s.v.cfg.Namespace, podName(0))
	}
	return err
}

// Destroy has nothing to remove.
func (unsealStep) Destroy(context.Context) error { return nil }

func inState(replicas []replica, state State) []replica {
	var in []replica
	for _, r := range replicas {
		if r.state == state {
			in = append(in, r)
		}
	}
	return in
}

// notServing says what keeps one replica from being active and the rest from
// standing by; "" when nothing does.
func notServing(replicas []replica) string {
	var missing []string
	for _, r := range replicas {
		if r.state != Active && r.state != Standby {
			missing = append(missing, r.pod.Name+": "+reason(r))
		}
	}
	if len(missing) == 0 && len(inState(replicas, Active)) != 1 {
		return "no replica is active yet"
	}
	return strings.Join(missing, ", ")
}

// reason is a clause on why a replica does not serve.
func reason(r replica) string {
	switch {
	case r.err != nil:
		return r.err.Error()
	case r.state == Sealed && r.peer.joins():
		return "it joined the others, and waits for their data"
	}
	return string(r.state)
}

func wipe(values []secret.Value) {
	for _, v := range values {
		v.Wipe()
	}
}
