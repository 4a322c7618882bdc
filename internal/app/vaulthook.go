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
	_, err := a.vaultSettings(c)
	return err
}

// vaultSettings reads the add-on's values; what is wrong with them points into
// the environment's file.
func (a *App) vaultSettings(c chosen) (vault.Settings, error) {
	settings, err := vault.ParseSettings(c.values, operatorNames(a.env), a.env.Spec.Custodian)
	var wrong *vault.ValueError
	if errors.As(err, &wrong) {
		path := append([]any{"spec", "addons", a.addonIndex(c.Name), "values"}, wrong.Path...)
		return settings, hint.With(a.env.Errorf(path, "%s", wrong.Error()), "%s", hint.Of(err))
	}
	return settings, err
}

// vaultStep gives the nth step of the Vault of an add-on.
func vaultStep(n int) func(s *Session, c chosen, _ addon.Hook) ([]converge.Item, error) {
	return func(s *Session, c chosen, _ addon.Hook) ([]converge.Item, error) {
		v, err := s.openVault(c)
		if err != nil {
			return nil, err
		}
		return []converge.Item{{Step: v.Steps()[n]}}, nil
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
	pods := podsOf{session: s, namespace: c.Namespace}
	config := vault.Config{
		Pods: pods, Tokens: pods, Holders: s.holders(settings), Settings: settings, Namespace: c.Namespace,
		Files: c.Files(), Timeout: c.Ready.Timeout,
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
			if s.mode == removing {
				err = nil // the journal's last word can be written by anyone
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
	s.closers = append(s.closers, v.Close)
	s.reports[c.Name] = append(s.reports[c.Name], vaultReport(c.Name, v))
	return v, nil
}

func (s *Session) holders(settings vault.Settings) []custody.Holder {
	holders := make([]custody.Holder, 0, len(settings.Holders))
	for _, h := range settings.Holders {
		holders = append(holders, custody.Holder{Name: h.Operator, Recipient: s.keys[h.Operator], Shares: h.Shares})
	}
	return holders
}

// podsOf reaches the pods of one namespace; it is what the hooks' packages ask for.
type podsOf struct {
	session   *Session
	namespace string
}

// List names the pods of the Vault StatefulSet.
func (p podsOf) List(ctx context.Context) ([]vault.Pod, error) {
	cluster, err := p.session.reachable(ctx)
	if err != nil {
		return nil, err
	}
	pods, err := cluster.Pods(ctx, p.namespace, addon.LabelName+"=vault")
	if err != nil {
		return nil, err
	}
	all := make([]vault.Pod, 0, len(pods))
	for _, pod := range pods {
		all = append(all, vault.Pod{Name: pod.Name, UID: pod.UID, Running: pod.Running})
	}
	return all, nil
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
func vaultReport(name string, v *vault.Vault) func(ctx context.Context) []LayerStatus {
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
		row.Detail = strings.Join(others, "; ")
		return []LayerStatus{row, sharesReport(status)}
	}
}

func sharesReport(status vault.Status) LayerStatus {
	row := LayerStatus{Name: "key shares", Summary: "none are dealt"}
	held, total := []string{}, 0
	if len(status.OtherKeys) > 0 {
		row.Detail = "sealed to another key than the environment's file has now: " + strings.Join(status.OtherKeys, ", ")
	}
	for _, holder := range sortedKeys(status.Shares) {
		n := status.Shares[holder]
		total += n
		held = append(held, fmt.Sprintf("%s %d", holder, n))
	}
	if total > 0 {
		row.Healthy = len(status.OtherKeys) == 0
		row.Summary = fmt.Sprintf("%s sealed and stored: %s; %d unseal", plural(total, "share"), strings.Join(held, ", "), status.Threshold)
	}
	return row
}
