// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"strings"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/consul"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

// consulOwner is the name under which add-ons ask for policies and tokens.
const consulOwner = "consul"

func checkConsul(a *App, c chosen, call addon.Hook) error {
	if _, err := a.consulAsks(); err != nil {
		return err
	}
	if n, ok := call.With["servers"].(int); ok && !a.env.Spec.Development && (n < 3 || n%2 == 0) {
		return hint.With(a.env.Errorf([]any{"spec", "addons", a.addonIndex(c.Name), "values", "replicas"}, "%d Consul servers have no quorum that survives the loss of one", n),
			"use 3 or 5; fewer only with `development: true`")
	}
	return nil
}

// consulAsks collects what all add-ons ask of Consul.
func (a *App) consulAsks() ([]consul.Ask, error) {
	asks := []consul.Ask{}
	for _, c := range a.addons {
		sections, err := c.Asks(a.Name(), c.values)
		if err != nil {
			return nil, err
		}
		section, ok := sections[consulOwner]
		if !ok {
			continue
		}
		ask, err := consul.ParseAsk(c.Name, section, func(path string) ([]byte, error) {
			return fs.ReadFile(c.Files(), path)
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.At(consulOwner), err)
		}
		asks = append(asks, ask)
	}
	return asks, nil
}

// openConsul prepares the Consul of an add-on from the arguments of its hook.
func (s *Session) openConsul(c chosen, call addon.Hook) (*consul.Cluster, error) {
	asks, err := s.consulAsks()
	if err != nil {
		return nil, err
	}
	servers, _ := call.With["servers"].(int)
	text := func(name string) string {
		value, _ := call.With[name].(string)
		return value
	}
	return consul.New(consul.Config{
		Dialer: clusterDialer{s}, Asks: asks, Servers: servers, Timeout: c.Ready.Timeout,
		Namespace: text("namespace"), StatefulSet: text("statefulSet"), Datacenter: text("datacenter"),
		Tokens: func(ctx context.Context) (consul.Tokens, error) { return s.tokens(ctx) },
	})
}

// consulSteps gives the steps that bring Consul to a healthy quorum.
func consulSteps(s *Session, c chosen, call addon.Hook) ([]converge.Item, error) {
	cluster, err := s.openConsul(c, call)
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, cluster.Close)
	s.reports[c.Name] = append(s.reports[c.Name], consulReport(c.Name, cluster))
	return cluster.Steps(), nil
}

// consulReport says who leads and how many vote.
func consulReport(name string, cluster *consul.Cluster) func(ctx context.Context) []LayerStatus {
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
		row.Detail = strings.Join(ill, "; ")
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
