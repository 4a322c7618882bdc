// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"net/http"
	"sync"
)

// Detail is what `clusterup vault status` shows. It holds no secret.
type Detail struct {
	Pods    []PodDetail `json:"pods"` // one entry an expected replica, in order
	Active  string      `json:"active,omitempty"`
	Healthy bool        `json:"healthy"` // one is active, and all others stand by
	Keys    *Keys       `json:"keys,omitempty"`
}

// PodDetail is what one replica says of itself.
type PodDetail struct {
	Name    string `json:"name"`
	State   State  `json:"state"`
	Cause   string `json:"cause,omitempty"` // why it is unreachable
	Version string `json:"version,omitempty"`
	Storage string `json:"storage,omitempty"` // "consul", "raft"
	Seal    string `json:"seal,omitempty"`    // "shamir", or what unseals it by itself
	// Given is how many shares a sealed replica was given, and Threshold how many
	// it asks for.
	Given     int `json:"given"`
	Threshold int `json:"threshold,omitempty"`
}

// sealStatus is Vault's answer about its seal, which it gives without a token.
type sealStatus struct {
	Sealed    bool   `json:"sealed"`
	Type      string `json:"type"`
	Threshold int    `json:"t"`
	Shares    int    `json:"n"`
	Progress  int    `json:"progress"`
	Version   string `json:"version"`
	Storage   string `json:"storage_type"`
}

func (c *client) sealStatus(ctx context.Context) (s sealStatus, err error) {
	err = c.do(ctx, request{method: http.MethodGet, path: "sys/seal-status", timeout: glance}, &s)
	return s, err
}

// Detail asks every replica. Unreachable ones are no error.
func (v *Vault) Detail(ctx context.Context) (Detail, error) {
	replicas, err := v.look(ctx)
	if err != nil {
		return Detail{}, err
	}
	d := Detail{Pods: make([]PodDetail, len(replicas)), Healthy: notServing(replicas) == ""}
	var group sync.WaitGroup
	for i, r := range replicas {
		d.Pods[i] = PodDetail{Name: r.pod.Name, State: r.state}
		if r.state == Active {
			d.Active = r.pod.Name
		}
		if r.state == Unreachable {
			d.Pods[i].Cause = reason(r)
			continue
		}
		group.Go(func() { d.Pods[i].ask(ctx, r.peer) })
	}
	group.Wait()
	keys, err := v.Keys(ctx)
	if errors.Is(err, errNoShares) {
		return d, nil
	}
	d.Keys = &keys
	return d, err
}

func (p *PodDetail) ask(ctx context.Context, c *client) {
	s, err := c.sealStatus(ctx)
	if err != nil {
		p.Cause = err.Error()
		return
	}
	p.Version, p.Storage, p.Seal, p.Given, p.Threshold = s.Version, s.Storage, s.Type, s.Progress, s.Threshold
}
