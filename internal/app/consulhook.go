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
	"clusterup.dev/clusterup/internal/consul"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

func checkConsul(a *App, c chosen, call addon.Hook) error {
	cfg, err := a.consulConfig(c, call)
	if err != nil {
		return err
	}
	if _, err := consul.New(cfg); err != nil {
		return err
	}
	if n, ok := call.With["servers"].(int); ok && !a.env.Spec.Development && (n < 3 || n%2 == 0) {
		return hint.With(a.env.Errorf([]any{"spec", "addons", a.addonIndex(c.Name), "values", "replicas"}, "%d Consul servers have no quorum that survives the loss of one", n),
			"use 3 or 5; fewer only with `development: true`")
	}
	return nil
}

// consulConfig reads the arguments of the hook. It reaches nothing.
func (a *App) consulConfig(c chosen, call addon.Hook) (consul.Config, error) {
	asks, err := a.consulAsks()
	if err != nil {
		return consul.Config{}, err
	}
	servers, _ := call.With["servers"].(int)
	cfg := consul.Config{
		Asks: asks, Servers: servers, Timeout: c.Ready.Timeout,
		Namespace: call.Text("namespace"), StatefulSet: call.Text("statefulSet"), Datacenter: call.Text("datacenter"),
	}
	switch method := call.Text("authMethod"); method {
	case "":
	case "kubernetes":
		cfg.Reviewer = noReviewer
	default:
		return cfg, hint.With(fmt.Errorf("%s: there is no auth method %q", a.hookAt(c, call, "authMethod"), method), "it can be kubernetes, or left out")
	}
	if ttl := call.Text("loginTTL"); ttl != "" {
		cfg.LoginTTL, err = time.ParseDuration(ttl)
		if err == nil {
			err = consul.CheckLoginTTL(cfg.LoginTTL)
		}
		if err != nil {
			return cfg, a.env.Errorf([]any{"spec", "addons", a.addonIndex(c.Name), "values", "loginTTL"}, "loginTTL: %w", err)
		}
	}
	return cfg, nil
}

// hookAt is where in addon.yaml an argument of a hook stands.
func (a *App) hookAt(c chosen, call addon.Hook, argument string) string {
	i := slices.IndexFunc(c.hooks, func(h addon.Hook) bool { return h.Use == call.Use })
	return c.At("hooks", i, "with", argument)
}

// openConsul prepares the Consul of an add-on from the arguments of its hook.
func (s *Session) openConsul(c chosen, call addon.Hook) (*consul.Cluster, error) {
	cfg, err := s.consulConfig(c, call)
	if err != nil {
		return nil, err
	}
	cfg.Dialer = clusterDialer{s}
	cfg.Pods = statefulPods{session: s, namespace: cfg.Namespace, name: cfg.StatefulSet}
	cfg.Agents = consulAgents{s}
	cfg.Tokens = s.consulTokens
	cfg.Older = s.olderTokens
	if cfg.Reviewer != nil {
		cfg.Reviewer = s.consulReviewer(cfg.Namespace)
	}
	return consul.New(cfg)
}

// consulTokens are the environment's tokens. Who only looks at Consul, or takes a
// snapshot of it, needs no more than those it was made with: so that can be done
// before a version that declares others is carried out.
func (s *Session) consulTokens(ctx context.Context) (consul.Tokens, error) {
	tokens, err := s.tokens(ctx)
	if !s.early || !errors.Is(err, converge.ErrNotYet) {
		return tokens, err
	}
	first := []string{consulCA, consulGossip, consulBootstrap, consulOwner + "/server"}
	return s.keeper.Load(ctx, slices.DeleteFunc(slices.Clone(s.specs), func(spec secret.Spec) bool { return !slices.Contains(first, spec.ID()) }))
}

// consulSteps gives the steps that bring Consul to a healthy quorum.
func consulSteps(s *Session, c chosen, call addon.Hook) ([]converge.Item, error) {
	cluster, err := s.openConsul(c, call)
	if err != nil {
		return nil, err
	}
	s.closers, s.consul = append(s.closers, cluster.Close), cluster
	s.reports[c.Name] = append(s.reports[c.Name], s.consulReport(c.Name, cluster, c.Namespace))
	s.finals = append(s.finals, cluster.Lastly()...)
	return cluster.Steps(), nil
}

// consulReport says who leads, how many vote, which servers wait for their restart,
// which share a node and whether a snapshot is missing.
func (s *Session) consulReport(name string, cluster *consul.Cluster, namespace string) func(ctx context.Context) []LayerStatus {
	return func(ctx context.Context) []LayerStatus {
		status, err := cluster.Status(ctx)
		if err != nil {
			return []LayerStatus{failed(name, err)}
		}
		row := LayerStatus{Name: name, Healthy: status.Whole() && status.Leader != ""}
		row.Summary = fmt.Sprintf("leader %s, %s, %d may fail", status.Leader, plural(status.Voters, "voter"), status.FailureTolerance)
		if status.Leader == "" {
			row.Summary = "no leader, " + plural(status.Voters, "voter")
		}
		ill := []string{}
		for _, m := range status.Members {
			if !m.Healthy || m.Role == "non-voter" {
				ill = append(ill, fmt.Sprintf("%s is %s, %s", m.Name, m.Role, m.Gossip))
			}
		}
		waiting, shared := cluster.Waiting(ctx)
		if len(waiting) > 0 {
			ill = append(ill, strings.Join(waiting, ", ")+" to be restarted: new revision")
		}
		notes, missed := s.scheduledSnapshots(ctx, namespace, s.consulShelf())
		row.Healthy = row.Healthy && !missed
		row.Detail = strings.Join(slices.Concat(ill, shared, notes), "; ")
		return []LayerStatus{row}
	}
}

// clusterDialer reaches pods once there is a cluster.
type clusterDialer struct{ session *Session }

// Dial connects to a port of a pod.
func (d clusterDialer) Dial(ctx context.Context, namespace, pod string, port int) (net.Conn, error) {
	cluster, err := d.session.reachable(ctx)
	if err != nil {
		return nil, err
	}
	return cluster.Dial(ctx, namespace, pod, port)
}
