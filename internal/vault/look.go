// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"clusterup.dev/clusterup/internal/converge"
)

// State is what one replica says of itself.
type State string

// The states of a replica.
const (
	Uninitialised State = "not initialised"
	Sealed        State = "sealed"
	Standby       State = "standby"
	Active        State = "active"
	Unreachable   State = "unreachable" // not running, or not answering
)

// replica is one look at one expected pod.
type replica struct {
	pod   Pod // the UID is empty when there is no such pod
	state State
	err   error // why it is unreachable
	peer  *client
}

// name is the nth pod of the StatefulSet.
func podName(n int) string { return fmt.Sprintf("vault-%d", n) }

// look asks every expected replica at the same time. The result has one entry a
// replica, in order.
func (v *Vault) look(ctx context.Context) ([]replica, error) {
	pods, err := v.cfg.Pods.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing Vault's pods: %w", err)
	}
	if len(pods) == 0 {
		return nil, fmt.Errorf("no pod of Vault: %w", converge.ErrNotYet)
	}
	ca, err := v.cfg.CA(ctx)
	if err != nil {
		return nil, fmt.Errorf("the CA of Vault: %w", err)
	}
	v.forget(pods)
	replicas := make([]replica, v.cfg.Settings.Replicas)
	var group sync.WaitGroup
	for n := range replicas {
		r := &replicas[n]
		r.pod.Name, r.state = podName(n), Unreachable
		at := slices.IndexFunc(pods, func(p Pod) bool { return p.Name == r.pod.Name })
		if at < 0 {
			r.err = errors.New("there is no such pod")
			continue
		}
		r.pod = pods[at]
		if !r.pod.Running {
			r.err = errors.New("it is not running")
			continue
		}
		if r.peer, err = v.peer(r.pod, ca); err != nil {
			return nil, err
		}
		group.Go(func() {
			r.state, r.err = r.peer.health(ctx)
			if r.err == nil && r.state != Sealed {
				r.peer.joining.Store(0) // it is open, or another process by now
			}
		})
	}
	group.Wait()
	return replicas, ctx.Err()
}

// peer is the client of one pod. A pod that comes back under its name is another
// one, and gets another connection.
func (v *Vault) peer(pod Pod, ca []byte) (*client, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if c := v.peers[pod.UID]; c != nil {
		return c, nil
	}
	c, err := newClient(ca, func(ctx context.Context) (net.Conn, error) { return v.cfg.Pods.Dial(ctx, pod.Name) })
	if err != nil {
		return nil, err
	}
	c.auto = v.cfg.Settings.Auto()
	v.peers[pod.UID] = c
	return c, nil
}

// forget drops the connections of pods that are gone.
func (v *Vault) forget(pods []Pod) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for uid, c := range v.peers {
		if !slices.ContainsFunc(pods, func(p Pod) bool { return p.UID == uid }) {
			c.close()
			delete(v.peers, uid)
		}
	}
}

// glance bounds a question about health: a pod on a dead node does not answer.
const glance = 5 * time.Second

// health asks one replica what it is. An error means that it cannot be told.
func (c *client) health(ctx context.Context) (State, error) {
	var h struct {
		Initialized bool `json:"initialized"`
		Sealed      bool `json:"sealed"`
		Standby     bool `json:"standby"`
	}
	err := c.do(ctx, request{method: http.MethodGet, path: "sys/health", timeout: glance, accept: []int{429, 472, 473, 474, 501, 503}}, &h)
	switch {
	case err != nil && strings.Contains(err.Error(), "no seal configuration"):
		return Unreachable, ErrHalf
	case err != nil:
		return Unreachable, err
	case !h.Initialized:
		return Uninitialised, nil
	case h.Sealed:
		return Sealed, nil
	case h.Standby:
		return Standby, nil
	}
	return Active, nil
}

// active finds the active replica.
func active(replicas []replica) (replica, bool) {
	for _, r := range replicas {
		if r.state == Active {
			return r, true
		}
	}
	return replica{}, false
}

// answered tells what those that answer say of the storage they share. ok is
// false when none answers.
func answered(replicas []replica) (initialised, ok bool, err error) {
	for _, r := range replicas {
		if errors.Is(r.err, ErrHalf) {
			return false, false, halfError()
		}
		if r.state != Unreachable {
			initialised, ok = initialised || r.state != Uninitialised, true
		}
	}
	return initialised, ok, nil
}
