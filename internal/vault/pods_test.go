// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"fmt"
	"net"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"clusterup.dev/clusterup/internal/secret"
)

// loopback gives processes on this machine as pods.
type loopback struct {
	w    *world
	wrap func(net.Conn) net.Conn
}

func (l loopback) List(context.Context) ([]Pod, error) {
	var pods []Pod
	for n := range l.w.Ports {
		pods = append(pods, Pod{Name: podName(n), UID: l.w.uid(n), Running: !l.w.stopped[l.w.uid(n)], Outdated: l.w.outdated[l.w.uid(n)]})
	}
	return pods, nil
}

// Delete ends a replica and starts another one in its place.
func (l loopback) Delete(_ context.Context, pod Pod) error {
	for n := range l.w.Ports {
		if pod.UID == l.w.uid(n) {
			l.w.replace(n)
		}
	}
	return nil
}

func (w *world) uid(n int) string { return fmt.Sprintf("%d-%d", n, w.Starts[n]) }

func (l loopback) Dial(ctx context.Context, pod string) (net.Conn, error) {
	for n, port := range l.w.Ports {
		if podName(n) == pod {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err == nil && l.wrap != nil {
				conn = l.wrap(conn)
			}
			return conn, err
		}
	}
	return nil, fmt.Errorf("no pod %s", pod)
}

// accounts asks a real API server for tokens.
type accounts struct{ kubeconfig string }

func (a accounts) Token(ctx context.Context, name string, audiences []string, ttl time.Duration) (secret.Value, error) {
	config, err := clientcmd.BuildConfigFromFlags("", a.kubeconfig)
	if err != nil {
		return secret.Value{}, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return secret.Value{}, err
	}
	seconds := int64(ttl.Seconds())
	got, err := client.CoreV1().ServiceAccounts("vault").CreateToken(ctx, name,
		&authv1.TokenRequest{Spec: authv1.TokenRequestSpec{Audiences: audiences, ExpirationSeconds: &seconds}}, metav1.CreateOptions{})
	if err != nil {
		return secret.Value{}, err
	}
	return secret.NewString(got.Status.Token), nil
}
