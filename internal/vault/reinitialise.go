// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
)

// Storage is what a Vault stores in, looked at past Vault.
type Storage interface {
	// Keys lists all keys, without the path that Vault has there.
	Keys(ctx context.Context) ([]string, error)
	// Erase deletes those keys and no others, if none was written to since Keys
	// listed them; else the error says so, and what was deleted stays deleted.
	Erase(ctx context.Context, keys []string) error
}

// ErrUsed says that a storage holds more than an init leaves that was never used.
var ErrUsed = errors.New("vault's storage holds more than an init that was never used leaves there")

// core is what an init writes, and nothing else: a replica that was ever unsealed
// leaves keys of other names (core/leader/, core/lock, sys/counters/, ...), as do a
// second token, a mount with data and a lease.
var core = regexp.MustCompile(`^(core/(audit|auth|cluster/feature-flags|cluster/local/(info|name)|` +
	`hsm/barrier-unseal-keys|index-header-hmac-key|keyring|local-audit|local-auth|local-mounts|master|mounts|` +
	`recovery-config|recovery-key|seal-config|shamir-kek|versions/[0-9A-Za-z.+-]+|wrapping/jwtkey)|` +
	`logical/[0-9a-f-]{36}/(oidc_provider/(assignment/allow_all|provider/default)|oidc_tokens/named_keys/default)|` +
	`sys/(counters/activity/acme-regeneration|policy/(control-group|default|response-wrapping)|token/salt|token/(accessor|id)/[0-9a-z]+))$`)

// beyondInit is what the keys hold that an init which was never used does not leave.
func beyondInit(keys []string) []string {
	var others []string
	tokens := 0
	for _, key := range keys {
		if strings.HasPrefix(key, "sys/token/id/") {
			tokens++
		}
		if !core.MatchString(key) || tokens > 1 && strings.HasPrefix(key, "sys/token/id/") {
			others = append(others, key)
		}
	}
	return others
}

// unused proves that nothing was ever put into a Vault whose shares were lost:
// every replica that answers is sealed, and the storage holds an init alone.
func (v *Vault) unused(ctx context.Context, replicas []replica) ([]string, error) {
	if v.cfg.Storage == nil {
		return nil, hint.With(errors.New("what Vault's storage holds cannot be looked into from here, so it is not emptied"),
			"docs/vault.md says under \"An init without shares\" how it is emptied by hand")
	}
	if v.cfg.Settings.Auto() {
		return nil, hint.With(errors.New("a Vault that opens itself serves as soon as it is initialised, so that it was never used cannot be seen"),
			"docs/vault.md says under \"An init without shares\" how it is emptied by hand")
	}
	for _, r := range replicas {
		if r.state == Active || r.state == Standby {
			return nil, hint.With(fmt.Errorf("%s is %s, so somebody has the key shares: nothing is emptied", r.pod.Name, r.state),
				"find out who initialised this Vault")
		}
	}
	keys, err := v.cfg.Storage.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("looking into Vault's storage: %w", err)
	}
	if others := beyondInit(keys); len(others) > 0 {
		return nil, hint.With(fmt.Errorf("%w: %d keys, such as %s", ErrUsed, len(others), strings.Join(others[:min(len(others), 3)], ", ")),
			"somebody unsealed this Vault, so somebody has the key shares; it is not emptied")
	}
	return keys, nil
}

// lost reports whether an init can be begun anew when it is asked for.
func lost(err error) bool { return errors.Is(err, ErrLost) || errors.Is(err, ErrHalf) }

// reinitialise empties a Vault that nobody can open and begins anew, under another
// name: an answer of the lost init that comes late is not taken for this one's.
func (v *Vault) reinitialise(ctx context.Context, escrow *custody.Escrow, was custody.Journal) error {
	replicas, err := v.look(ctx)
	if err != nil {
		return err
	}
	keys, err := v.unused(ctx, replicas)
	if err != nil {
		return err
	}
	was.State = "" // not taken up again
	holders, _, threshold := v.firstHolders(escrow)
	journal, err := escrow.Intend(ctx, was, holders, threshold)
	if err != nil {
		return err
	}
	if err := v.allowed(ctx, "Vault's storage is emptied"); err != nil {
		return err
	}
	converge.Progress(ctx, "emptying Vault's storage of the %d keys that the lost init left", len(keys))
	if err := v.cfg.Storage.Erase(ctx, keys); err != nil {
		return fmt.Errorf("emptying Vault's storage: %w", err)
	}
	first, err := v.restart(ctx, replicas)
	if err != nil {
		return err
	}
	return v.initialise(ctx, first.peer, escrow, journal)
}

// restart replaces every pod, since a replica remembers that it was initialised,
// and returns the first one once none is left that does.
func (v *Vault) restart(ctx context.Context, were []replica) (first replica, err error) {
	for _, r := range were {
		if r.pod.UID == "" {
			continue
		}
		if err := v.cfg.Pods.Delete(ctx, r.pod); err != nil {
			return first, fmt.Errorf("restarting %s: %w", r.pod.Name, err)
		}
	}
	old := func(now replica) bool {
		return now.pod.UID != "" && slices.ContainsFunc(were, func(r replica) bool { return r.pod.UID == now.pod.UID })
	}
	err = converge.Until(ctx, "Vault's pods to be restarted on an empty storage", v.cfg.Timeout, func(ctx context.Context) (bool, string, error) {
		replicas, err := v.look(ctx)
		if err != nil {
			return false, "", err
		}
		if at := slices.IndexFunc(replicas, old); at >= 0 {
			return false, replicas[at].pod.Name + " is still the old one", nil
		}
		first = replicas[0]
		return first.state == Uninitialised, first.pod.Name + ": " + reason(first), nil
	})
	return first, err
}
