// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/consul"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/kube"
	"clusterup.dev/clusterup/internal/secret"
)

const (
	// consulAuthSecret holds the token with which Consul's servers ask Kubernetes
	// who logs in. Kubernetes fills it.
	consulAuthSecret = "consul-auth"
	// kubernetesHost is the API server as pods reach it.
	kubernetesHost = "https://kubernetes.default.svc"
)

// consulReviewer reads what the auth method needs from the cluster.
func (s *Session) consulReviewer(namespace string) func(context.Context) (consul.Reviewer, error) {
	return func(ctx context.Context) (consul.Reviewer, error) {
		cluster, err := s.reachable(ctx)
		if err != nil {
			return consul.Reviewer{}, err
		}
		ref := kube.Ref{APIVersion: "v1", Kind: "Secret", Namespace: namespace, Name: consulAuthSecret}
		object, err := cluster.Get(ctx, ref)
		switch {
		case err != nil:
			return consul.Reviewer{}, err
		case object == nil:
			return consul.Reviewer{}, fmt.Errorf("%s: %w", ref, converge.ErrNotYet)
		}
		token, ca := secretData(object, "token"), secretData(object, "ca.crt")
		if len(token) == 0 || len(ca) == 0 {
			return consul.Reviewer{}, fmt.Errorf("%s, which Kubernetes fills with a token: %w", ref, converge.ErrNotYet)
		}
		return consul.Reviewer{Host: kubernetesHost, CACert: string(ca), JWT: secret.NewValue(token)}, nil
	}
}

// secretData is a value of a Secret; nil when it is not there.
func secretData(object *unstructured.Unstructured, key string) []byte {
	text, _, _ := unstructured.NestedString(object.Object, "data", key)
	value, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	return value
}

// noReviewer stands for the real one where nothing is reached.
func noReviewer(context.Context) (consul.Reviewer, error) {
	return consul.Reviewer{}, errors.New("the cluster is not asked here")
}
