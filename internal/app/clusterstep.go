// SPDX-License-Identifier: Apache-2.0

package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/kube"
	"clusterup.dev/clusterup/internal/store"
)

const nodesTimeout = 3 * time.Minute

// nodes waits until the API server answers and every node is ready; of a cluster
// that was there already, one.
func (s *Session) nodes() converge.Step {
	return step{
		name: nodes,
		plan: func(ctx context.Context) (converge.Plan, error) {
			done, pending, err := s.nodesReady(ctx)
			switch {
			case errors.Is(err, converge.ErrNotYet):
				return converge.Plan{}, err
			case err != nil:
				pending = err.Error()
			case done:
				return converge.Plan{}, nil
			}
			return converge.Plan{Changes: []converge.Change{{Subject: "nodes", Action: converge.Wait, Note: pending}}}, nil
		},
		apply: func(ctx context.Context, _ converge.Plan) error {
			return converge.Until(ctx, "the nodes", nodesTimeout, s.nodesReady)
		},
	}
}

func (s *Session) nodesReady(ctx context.Context) (done bool, pending string, err error) {
	cluster, err := s.cluster(ctx)
	if err != nil {
		return false, "", err
	}
	all, err := cluster.Nodes(ctx)
	if err != nil {
		return false, "", err
	}
	ready := 0
	for _, n := range all {
		if n.Ready {
			ready++
		} else {
			pending = n.Name + " " + n.Reason
		}
	}
	want := s.wantNodes()
	if want == 0 { // somebody else's nodes come and go: one is enough to begin
		return ready > 0, cmp.Or(pending, "there is none"), nil
	}
	if len(all) < want {
		pending = fmt.Sprintf("%d of %d have joined", len(all), want)
	}
	return ready == len(all) && len(all) >= want, pending, nil
}

// bindingKey holds which cluster this environment belongs to.
const bindingKey = "cluster.json"

// binding ties the environment to the cluster's CA and the UID of its
// kube-system namespace, at its first apply; another cluster is refused.
func (s *Session) binding() converge.Step {
	return step{
		name: binding,
		plan: func(ctx context.Context) (converge.Plan, error) {
			cluster, err := s.reachable(ctx)
			if err != nil {
				return converge.Plan{}, err
			}
			here, err := s.sameCluster(ctx, cluster)
			if errors.Is(err, store.ErrNotFound) {
				return converge.Plan{Changes: []converge.Change{{Subject: "environment " + s.Name(), Action: converge.Create, Note: "bound to cluster " + here.UID}}, Basis: here}, nil
			}
			return converge.Plan{}, err
		},
		apply: func(ctx context.Context, p converge.Plan) error {
			data, err := json.Marshal(p.Basis)
			if err != nil {
				return fmt.Errorf("encoding the cluster's identity: %w", err)
			}
			_, err = s.bucket.PutNew(ctx, bindingKey, data)
			if errors.Is(err, store.ErrExists) {
				return fmt.Errorf("another run bound the environment: %w", converge.ErrStale)
			}
			return err
		},
		destroy: func(ctx context.Context) error { return s.bucket.Delete(ctx, bindingKey) },
	}
}

// sameCluster compares the cluster with the one that the environment is bound
// to; not bound yet is store.ErrNotFound. It gives the cluster's own identity.
func (s *Session) sameCluster(ctx context.Context, cluster *kube.Cluster) (kube.Identity, error) {
	here, err := cluster.Identity(ctx)
	if err != nil {
		return here, err
	}
	data, _, err := s.bucket.Get(ctx, bindingKey)
	if err != nil {
		return here, err
	}
	var bound kube.Identity
	if err := json.Unmarshal(data, &bound); err != nil {
		return here, fmt.Errorf("reading %s of the bucket: %w", bindingKey, err)
	}
	if bound != here {
		return here, hint.With(
			fmt.Errorf("this environment is bound to cluster %s, and the cluster that answers is %s", bound.UID, here.UID),
			"check spec.cluster (kubeconfig, context); nothing was changed on either cluster")
	}
	return here, nil
}
