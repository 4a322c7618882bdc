// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

// rolloutStep replaces the pods that are of an older revision, one at a time: those
// that serve nobody first, then the standbys, then the active one, after it has
// handed over to a replica that was replaced. Each new pod is unsealed and serves
// before the next one goes. Nothing is kept of how far it came: the pods show it.
type rolloutStep struct{ v *Vault }

func (rolloutStep) Name() string { return "vault/rollout" }

// Destroy has nothing to remove: the pods go with the add-on's objects.
func (rolloutStep) Destroy(context.Context) error { return nil }

// rollout is what a plan rests on: the UIDs of the pods to be replaced.
type rollout map[string]bool

func (s rolloutStep) Plan(ctx context.Context) (converge.Plan, error) {
	replicas, err := s.v.look(ctx)
	if err != nil {
		return converge.Plan{}, err
	}
	basis := rollout{}
	plan := converge.Plan{Basis: basis}
	for _, r := range inOrder(replicas) {
		note := "new revision; " + string(r.state)
		switch {
		case r.state == Active && len(replicas) > 1:
			note += ", hands over to another first"
		case r.state == Active:
			note += ", so Vault is away until the new pod is unsealed"
		}
		basis[r.pod.UID] = true
		plan.Changes = append(plan.Changes, converge.Change{Subject: "Vault " + r.pod.Name, Action: converge.Replace, Note: note})
	}
	return plan, nil
}

// inOrder are the replicas to be replaced in the order in which they are.
func inOrder(replicas []replica) (all []replica) {
	for _, which := range []func(State) bool{
		func(s State) bool { return s != Active && s != Standby },
		func(s State) bool { return s == Standby },
		func(s State) bool { return s == Active },
	} {
		for _, r := range replicas {
			if r.pod.Outdated && which(r.state) {
				all = append(all, r)
			}
		}
	}
	return all
}

// Apply replaces what the plan named. A pod that somebody replaced meanwhile is
// done; one that the plan did not see makes it stale.
func (s rolloutStep) Apply(ctx context.Context, p converge.Plan) error {
	planned, ok := p.Basis.(rollout)
	if !ok {
		return converge.ErrStale
	}
	if err := s.v.canUnseal(ctx); err != nil {
		return fmt.Errorf("before any pod is replaced: %w", err)
	}
	handedOver := false
	for {
		next, alone, err := s.await(ctx)
		switch {
		case err != nil:
			return err
		case next.pod.UID == "":
			return nil
		case !planned[next.pod.UID]:
			return fmt.Errorf("the pods of Vault: %w", converge.ErrStale)
		case next.state == Active && !alone:
			if handedOver {
				return hint.With(fmt.Errorf("%s is active again after it handed over, and its pod is to be replaced", next.pod.Name),
					"look at the logs of the others, which should have taken over, and run again: it goes on from here")
			}
			handedOver = true
			err = s.handOver(ctx)
		default:
			converge.Progress(ctx, "replacing %s (%s)", next.pod.Name, next.state)
			err = s.stopped(next.pod, s.replace(ctx, next.pod))
		}
		if err != nil {
			return err
		}
	}
}

// await returns the next replica to be replaced once all others serve, or none when
// none waits for it. alone says that there are no others.
func (s rolloutStep) await(ctx context.Context) (next replica, alone bool, err error) {
	err = converge.Until(ctx, "all other replicas of Vault to serve", s.v.cfg.Timeout, func(ctx context.Context) (bool, string, error) {
		replicas, err := s.v.look(ctx)
		if err != nil {
			return false, "", err
		}
		waiting := inOrder(replicas)
		if len(waiting) == 0 {
			next = replica{}
			return true, "", nil
		}
		next, alone = waiting[0], len(replicas) == 1
		for _, r := range replicas {
			if r.pod.Name != next.pod.Name && r.state != Active && r.state != Standby {
				return false, r.pod.Name + ": " + reason(r), nil
			}
		}
		return true, "", nil
	})
	return next, alone, err
}

// canUnseal finds out that what a new pod needs is at hand: a run that cannot unseal
// replaces nothing. A Vault that opens itself needs nobody.
func (v *Vault) canUnseal(ctx context.Context) error {
	if v.cfg.Settings.Auto() {
		return nil
	}
	escrow, journal, err := v.records(ctx)
	if err != nil {
		return err
	}
	shares, err := escrow.Open(ctx, journal.Shareholding())
	wipe(shares)
	return err
}

// replace ends a pod, and returns when the one that comes in its place serves, and
// all others do.
func (s rolloutStep) replace(ctx context.Context, pod Pod) error {
	if err := s.v.cfg.Pods.Delete(ctx, pod); err != nil {
		return fmt.Errorf("replacing %s: %w", pod.Name, err)
	}
	err := converge.Until(ctx, pod.Name+" to end and to come back", s.v.cfg.Timeout, func(ctx context.Context) (bool, string, error) {
		pods, err := s.v.cfg.Pods.List(ctx)
		if err != nil {
			return false, "", err
		}
		for _, now := range pods {
			if now.Name == pod.Name {
				return now.UID != pod.UID && now.Running, "its pod does not run yet", nil
			}
		}
		return false, "there is no pod", nil
	})
	if err != nil {
		return err
	}
	return unsealStep(s).Apply(ctx, converge.Plan{})
}

// stopped says what a rollout that cannot go on leaves behind.
func (s rolloutStep) stopped(pod Pod, err error) error {
	var late *converge.TimeoutError
	if !errors.As(err, &late) {
		return err
	}
	return hint.With(fmt.Errorf("the rollout stops: %w", err),
		"%s is the last pod that was replaced, and no other is while this holds; look with `kubectl -n %s describe pod %s`, mend it, or put the old configuration back, and run again: it goes on from here",
		pod.Name, s.v.cfg.Namespace, pod.Name)
}

// handOver makes the active replica step down, and waits for another to be active.
func (s rolloutStep) handOver(ctx context.Context) (err error) {
	w, err := configureStep(s).open(ctx)
	if err != nil {
		return err
	}
	if w == nil {
		return fmt.Errorf("no replica of Vault is active: %w", converge.ErrStale)
	}
	converge.Progress(ctx, "%s hands over", w.pod.Name)
	err = w.session.do(ctx, request{method: http.MethodPut, path: "sys/step-down", token: w.session.token}, nil)
	if err != nil {
		return errors.Join(fmt.Errorf("%s: stepping down: %w", w.pod.Name, err), w.close(ctx))
	}
	err = converge.Until(ctx, "another replica of Vault to be active", s.v.cfg.Timeout, func(ctx context.Context) (bool, string, error) {
		replicas, err := s.v.look(ctx)
		if err != nil {
			return false, "", err
		}
		now, ok := active(replicas)
		if ok = ok && now.pod.UID != w.pod.UID; ok {
			w.session.client = now.peer // a standby may not know yet whom to pass the end of the session on to
		}
		return ok, "", nil
	})
	return errors.Join(err, w.close(ctx))
}
