// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"encoding/base64"
	"fmt"

	"clusterup.dev/clusterup/internal/kube"
	"clusterup.dev/clusterup/internal/renewal"
	"clusterup.dev/clusterup/internal/secret"
)

// secretShelf is a Secret of type kubernetes.io/tls that somebody else made.
type secretShelf struct {
	cluster *kube.Cluster
	ref     kube.Ref
}

func shelfOf(cluster *kube.Cluster, s secretRef) secretShelf {
	return secretShelf{cluster, kube.Ref{APIVersion: "v1", Kind: "Secret", Namespace: s.Namespace, Name: s.Name}}
}

// The keys of such a Secret.
const (
	chainKey   = "tls.crt"
	privateKey = "tls.key"
)

// Read gives what is in the Secret; what is not base64 is as good as nothing.
func (s secretShelf) Read(ctx context.Context) (p renewal.Pair, err error) {
	live, err := s.cluster.Get(ctx, s.ref)
	if err != nil {
		return p, err
	}
	if live == nil {
		return p, fmt.Errorf("the Secret %s/%s is not there, and comes with `certificate: vault` in the values of the add-on ingress: %w",
			s.ref.Namespace, s.ref.Name, renewal.ErrNowhere)
	}
	return renewal.Pair{Chain: string(secretData(live, chainKey)), Key: secret.NewValue(secretData(live, privateKey)), Version: live.GetResourceVersion()}, nil
}

// Write puts the certificate into the Secret, if that is as it was read.
func (s secretShelf) Write(ctx context.Context, p renewal.Pair) error {
	return s.cluster.Edit(ctx, s.ref, p.Version, map[string]any{"data": map[string]any{
		chainKey:   base64.StdEncoding.EncodeToString([]byte(p.Chain)),
		privateKey: base64.StdEncoding.EncodeToString(p.Key.Reveal()),
	}})
}
