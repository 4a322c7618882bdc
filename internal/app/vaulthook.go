// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/vault"
)

const vaultPort = 8200

func checkVault(a *App, c chosen, _ addon.Hook) error {
	settings, err := a.vaultSettings(c)
	if err != nil {
		return err
	}
	if err := a.checkVaultStorage(c, settings); err != nil {
		return err
	}
	return a.checkVaultAsks(c, settings)
}

// vaultSettings reads the add-on's values; what is wrong with them points into
// the environment's file.
func (a *App) vaultSettings(c chosen) (vault.Settings, error) {
	settings, err := vault.ParseSettings(c.values, operatorNames(a.env), a.env.Spec.Custodian)
	if err == nil {
		err = vault.CheckKinds(settings, a.env.PGPKeys())
	}
	var wrong *vault.ValueError
	if errors.As(err, &wrong) {
		path := append([]any{"spec", "addons", a.addonIndex(c.Name), "values"}, wrong.Path...)
		return settings, hint.With(a.env.Errorf(path, "%s", wrong.Error()), "%s", hint.Of(err))
	}
	return settings, err
}

// vaultStep gives the step of that name of the Vault of an add-on.
func vaultStep(name string) func(s *Session, c chosen, _ addon.Hook) ([]converge.Item, error) {
	return func(s *Session, c chosen, _ addon.Hook) ([]converge.Item, error) {
		v, err := s.openVault(c)
		if err != nil {
			return nil, err
		}
		for _, step := range v.Steps() {
			if step.Name() == name {
				return []converge.Item{{Step: step}}, nil
			}
		}
		return nil, fmt.Errorf("there is no step %s", name)
	}
}

// openVault prepares the Vault of an add-on, once for all its hooks.
func (s *Session) openVault(c chosen) (*vault.Vault, error) {
	if v, ok := s.vaults[c.Name]; ok {
		return v, nil
	}
	settings, err := s.vaultSettings(c)
	if err != nil {
		return nil, err
	}
	asks, err := s.vaultAsks()
	if err != nil {
		return nil, err
	}
	pods := podsOf{session: s, namespace: c.Namespace}
	config := vault.Config{
		Pods: pods, Tokens: pods, Holders: s.holders(settings), Settings: settings, Asks: asks, Authority: environmentCA{s}, Namespace: c.Namespace,
		Files: c.Files(), Timeout: c.Ready.Timeout, Couriers: s.couriers(),
		Storage: s.vaultStorage(settings), Reinitialise: s.options.Reinitialise,
		CA: func(ctx context.Context) ([]byte, error) {
			tokens, err := s.tokens(ctx)
			if err != nil {
				return nil, err
			}
			ca, _ := tokens.Public(c.Name + "/ca")
			return []byte(ca), nil
		},
		Escrow: func(context.Context) (*custody.Escrow, error) {
			runner, err := s.runner()
			if s.mode != changing {
				err = nil // only an init needs one: anyone may look, and write the journal's last word
			}
			return &custody.Escrow{Bucket: s.bucket, Runner: runner, Identities: s.identities}, err
		},
	}
	config.Guard = func(ctx context.Context) error { return s.lease.Check(ctx) } // only a run that holds the lock applies
	v := vault.New(config)
	if s.vaults == nil {
		s.vaults = map[string]*vault.Vault{}
	}
	s.vaults[c.Name] = v
	dealt := vault.InitStep
	if v.SealsToPGP() {
		dealt = vault.DealStep
		s.beside[c.Name] = append(s.beside[c.Name], converge.Item{Step: v.DealStep(), After: []string{vault.ConfigureStep}})
	}
	if len(config.Couriers) > 0 {
		s.beside[c.Name] = append(s.beside[c.Name], converge.Item{Step: v.Deliver(), After: []string{dealt}})
	}
	s.closers = append(s.closers, v.Close)
	s.reports[c.Name] = append(s.reports[c.Name], s.vaultReport(c.Name, v))
	return v, nil
}

func (s *Session) holders(settings vault.Settings) []custody.Holder {
	holders := make([]custody.Holder, 0, len(settings.Holders))
	for _, h := range settings.Holders {
		holders = append(holders, custody.Holder{Name: h.Operator, Recipient: s.keys[h.Operator], PGP: s.env.PGPKeys()[h.Operator], Shares: h.Shares})
	}
	return holders
}

// podsOf reaches the pods of one namespace; it is what the hooks' packages ask for.
type podsOf struct {
	session   *Session
	namespace string
}

// vaultSet is the name of Vault's StatefulSet.
const vaultSet = "vault"

// List names the pods of the Vault StatefulSet.
func (p podsOf) List(ctx context.Context) ([]vault.Pod, error) {
	pods, revision, err := p.set().look(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]vault.Pod, 0, len(pods))
	for _, pod := range pods {
		all = append(all, vault.Pod{Name: pod.Name, UID: pod.UID, Running: pod.Running, Outdated: pod.Labels[revisionLabel] != revision})
	}
	return all, nil
}

func (p podsOf) set() statefulPods { return statefulPods{p.session, p.namespace, vaultSet} }

// Delete asks for the end of a pod.
func (p podsOf) Delete(ctx context.Context, pod vault.Pod) error {
	return p.set().remove(ctx, pod.Name, pod.UID)
}

// Dial connects to Vault's port in a pod.
func (p podsOf) Dial(ctx context.Context, pod string) (net.Conn, error) {
	cluster, err := p.session.cluster(ctx)
	if err != nil {
		return nil, err
	}
	return cluster.Dial(ctx, p.namespace, pod, vaultPort)
}

// Token makes a short-lived token of a ServiceAccount.
func (p podsOf) Token(ctx context.Context, account string, audiences []string, ttl time.Duration) (secret.Value, error) {
	cluster, err := p.session.cluster(ctx)
	if err != nil {
		return secret.Value{}, err
	}
	return cluster.TokenRequest(ctx, p.namespace, account, audiences, ttl)
}

// vaultReport says who is active, who stands by, and who holds the key shares.
func (s *Session) vaultReport(name string, v *vault.Vault) func(ctx context.Context) []LayerStatus {
	return func(ctx context.Context) []LayerStatus {
		status, err := v.Status(ctx)
		if err != nil {
			return []LayerStatus{failed(name, err)}
		}
		row := LayerStatus{Name: name, Healthy: status.Healthy() && status.RootRevoked}
		if status.Active != "" {
			row.Summary = fmt.Sprintf("active %s, %s", status.Active, plural(status.Standbys, "standby"))
		} else {
			row.Summary = "nobody is active"
		}
		others := []string{}
		for pod, state := range status.Pods {
			if state != vault.Active && state != vault.Standby {
				others = append(others, strings.TrimSpace(fmt.Sprintf("%s is %s %s", pod, state, status.Causes[pod])))
			}
		}
		if status.Active != "" && !status.RootRevoked {
			others = append(others, "the first root token is not revoked yet")
		}
		slices.Sort(others)
		if v.OnRaft() == nil {
			others = append(others, snapshotAge(newestSnapshot(ctx, s.vaultShelf())))
		}
		row.Detail = strings.Join(others, "; ")
		return []LayerStatus{row, s.sharesReport(status)}
	}
}

func (s *Session) sharesReport(status vault.Status) LayerStatus {
	row, one, power := LayerStatus{Name: "key shares", Summary: "none are dealt"}, "share", "unseal"
	if status.Recovery {
		row.Name, one, power = "recovery keys", "recovery key", "make a root token"
	}
	held, notes, total := []string{}, []string{}, 0
	if len(status.OtherKeys) > 0 {
		notes = append(notes, "sealed to another key than the environment's file has now: "+strings.Join(status.OtherKeys, ", "))
	}
	for _, holder := range sortedKeys(status.Shares) {
		n := status.Shares[holder]
		total += n
		held = append(held, fmt.Sprintf("%s %d", holder, n))
	}
	if total > 0 {
		row.Healthy = len(status.OtherKeys) == 0 && !status.Provisional
		if status.Provisional {
			notes = append(notes, "the holders with PGP keys have none yet: `clusterup create` goes on")
		}
		if note := s.confirmedReport(status); note != "" && !status.Provisional {
			notes = append(notes, note)
		}
		row.Summary = fmt.Sprintf("%s sealed and stored: %s; %d %s", plural(total, one), strings.Join(held, ", "), status.Threshold, power)
	}
	row.Detail = strings.Join(notes, "; ")
	return row
}
