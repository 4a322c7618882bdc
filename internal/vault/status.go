// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"

	"clusterup.dev/clusterup/internal/custody"
)

// Status is what `clusterup status` shows. It holds no secret.
type Status struct {
	Pods        map[string]State  `json:"pods"`             // one entry an expected replica
	Causes      map[string]string `json:"causes,omitempty"` // pod → why it is unreachable
	Initialised bool              `json:"initialised"`
	Active      string            `json:"active,omitempty"` // the active pod
	Standbys    int               `json:"standbys"`
	Shares      map[string]int    `json:"shares,omitempty"` // holder → shares stored for them
	Threshold   int               `json:"threshold,omitempty"`
	Recovery    bool              `json:"recovery,omitempty"` // Shares are recovery keys: Vault opens itself
	// OtherKeys are holders whose shares are sealed to another key than the one
	// that the environment names now: only the old one opens them.
	OtherKeys []string `json:"otherKeys,omitempty"`
	// Confirmed are the holders who have proven that they can open all of their
	// shares; one who has not may still be able to.
	Confirmed   []string `json:"confirmed,omitempty"`
	RootRevoked bool     `json:"rootRevoked"`
	// Provisional says that the holders with PGP keys have no shares yet.
	Provisional bool `json:"provisional,omitempty"`
}

// Healthy reports whether one replica is active and all others stand by.
func (s Status) Healthy() bool { return s.Active != "" && s.Standbys == len(s.Pods)-1 }

// Status looks at every replica and at what the bucket keeps. Unreachable
// replicas are no error.
func (v *Vault) Status(ctx context.Context) (Status, error) {
	status := Status{Pods: map[string]State{}, Recovery: v.cfg.Settings.Auto()}
	replicas, err := v.look(ctx)
	if err != nil {
		return status, err
	}
	for _, r := range replicas {
		status.Pods[r.pod.Name] = r.state
		switch r.state {
		case Active:
			status.Active = r.pod.Name
		case Standby:
			status.Standbys++
		case Unreachable:
			if status.Causes == nil {
				status.Causes = map[string]string{}
			}
			status.Causes[r.pod.Name] = reason(r)
		case Sealed, Uninitialised:
		}
	}
	if status.Initialised, _, err = answered(replicas); err != nil {
		return status, err
	}
	escrow, journal, err := v.records(ctx)
	if err != nil || !journal.Exists() {
		return status, err
	}
	set := journal.Shareholding()
	status.Threshold, status.RootRevoked = set.Threshold, journal.State == custody.Revoked
	status.Provisional = journal.Provisional()
	status.OtherKeys = set.OtherKeys(v.cfg.Holders)
	shares, err := escrow.Register(ctx, set)
	status.Shares = map[string]int{}
	for _, s := range shares {
		if !s.Missing {
			status.Shares[s.Holder]++
		}
	}
	status.Confirmed, _ = Keys{Shares: shares}.Confirmed()
	return status, err
}
