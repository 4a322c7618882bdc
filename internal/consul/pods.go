// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"context"
	"maps"
	"slices"
	"time"
)

// Pods are what the servers run in. A pod that was deleted comes back under its
// name with the wanted revision, on its own volume, at another address.
type Pods interface {
	// Servers lists them by name. Before there is a cluster, and while it is not
	// known which revision is wanted, it answers an error that wraps
	// converge.ErrNotYet.
	Servers(ctx context.Context) ([]Pod, error)
	// Delete asks the pod with this UID to end and does not wait for it. A pod
	// that is gone, or there with another UID, is success.
	Delete(ctx context.Context, p Pod) error
}

// Pod is one of them.
type Pod struct {
	Name, UID string
	Node      string // that it runs on; "" while it is not scheduled
	Ready     bool
	Deleting  bool
	Current   bool      // of the wanted revision; false: it waits for the rollout
	Reason    string    // why it is not ready, as far as Kubernetes knows
	Since     time.Time // of Ready, one way or the other; zero when not known
}

// waits reports whether it is to be restarted.
func (p Pod) waits() bool { return p.UID != "" && !p.Current && !p.Deleting }

// pods are the wanted servers' pods by name; none when nothing tells of pods.
func (c *Cluster) pods(ctx context.Context) (map[string]Pod, error) {
	if c.cfg.Pods == nil {
		return nil, nil
	}
	all, err := c.cfg.Pods.Servers(ctx)
	if err != nil {
		return nil, err
	}
	byName := make(map[string]Pod, len(all))
	for _, p := range all {
		byName[p.Name] = p
	}
	return byName, nil
}

// Waiting names the servers that wait for their restart, and says which share a
// node. What cannot be seen is left out.
func (c *Cluster) Waiting(ctx context.Context) (waiting, sharing []string) {
	pods, err := c.pods(ctx)
	if err != nil {
		return nil, nil
	}
	for _, name := range slices.Sorted(maps.Keys(pods)) {
		if pods[name].waits() {
			waiting = append(waiting, name)
		}
	}
	return waiting, shared(pods)
}
