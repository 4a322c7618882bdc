// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"

	"clusterup.dev/clusterup/internal/consul"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

// ConsulReport is all that an operator looks at in Consul; ConsulKeyring is of it.
type (
	ConsulReport  = consul.Report
	ConsulKeyring = consul.Keyring
)

// Consul is the environment's Consul, or an error that says how to get one.
func (s *Session) Consul() (*consul.Cluster, error) {
	if s.consul == nil {
		return nil, hint.With(fmt.Errorf("%s has no Consul", s.Name()), "add {name: consul} to spec.addons (%s)", s.env.At("spec", "addons"))
	}
	return s.consul, nil
}

// ConsulStatus looks at every server of the environment's Consul.
func (s *Session) ConsulStatus(ctx context.Context) (ConsulReport, error) {
	cluster, err := s.Consul()
	if err != nil {
		return ConsulReport{}, err
	}
	s.early = true
	defer func() { s.early = false }()
	report, err := cluster.Report(ctx)
	if errors.Is(err, converge.ErrNotYet) {
		return report, hint.With(fmt.Errorf("%s has no Consul yet: %w", s.Name(), err), "make it with `clusterup create %s`", s.Name())
	}
	return report, err
}
