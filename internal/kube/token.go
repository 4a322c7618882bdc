// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"clusterup.dev/clusterup/internal/secret"
)

// TokenRequest asks for a token of a service account, for these audiences (none
// means the API server's own), that lives for ttl, at least ten minutes.
func (c *Cluster) TokenRequest(ctx context.Context, namespace, serviceAccount string, audiences []string, ttl time.Duration) (secret.Value, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences: audiences, ExpirationSeconds: new(int64(max(ttl, 10*time.Minute).Seconds())),
	}}
	answer, err := c.typed.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, serviceAccount, request, metav1.CreateOptions{})
	if err != nil {
		return secret.Value{}, fmt.Errorf("asking for a token of service account %s/%s: %w", namespace, serviceAccount, err)
	}
	return secret.NewString(answer.Status.Token), nil
}
