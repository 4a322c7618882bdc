// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiversion "k8s.io/apimachinery/pkg/version"

	"clusterup.dev/clusterup/internal/hint"
)

// reachTimeout is how long an API server may take for its first answer.
const reachTimeout = 5 * time.Second

// Version asks the API server which version it is, "v1.36.3".
func (c *Cluster) Version(ctx context.Context) (string, error) {
	raw, err := c.ask(ctx, "/version")
	if err != nil {
		return "", err
	}
	var info apiversion.Info
	if err := json.Unmarshal(raw, &info); err != nil {
		return "", fmt.Errorf("%s does not answer like a Kubernetes API server: %w", c.rest.Host, err)
	}
	return info.GitVersion, nil
}

// version is what Version answered first.
type version struct {
	mu    sync.Mutex
	known string
}

// serverVersion asks once a connection.
func (c *Cluster) serverVersion(ctx context.Context) (string, error) {
	c.version.mu.Lock()
	defer c.version.mu.Unlock()
	if c.version.known != "" {
		return c.version.known, nil
	}
	var err error
	c.version.known, err = c.Version(ctx)
	return c.version.known, err
}

// Reachable says whether the API server answers and is ready; the error names its
// address and what is wrong.
func (c *Cluster) Reachable(ctx context.Context) error {
	_, err := c.ask(ctx, "/readyz")
	return err
}

func (c *Cluster) ask(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	raw, err := c.typed.Discovery().RESTClient().Get().AbsPath(path).MaxRetries(0).DoRaw(ctx)
	return raw, c.unreachable(err)
}

// brief says in one line what a health check answered in many: the parts that
// fail, or else the first line.
type brief struct{ error }

func (b brief) Unwrap() error { return b.error }

func (b brief) Error() string {
	lines := strings.Split(b.error.Error(), "\n")
	failing := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return !strings.Contains(line, "[-]") })
	if len(failing) == 0 {
		failing = lines[:1]
	}
	return strings.Join(failing, "; ")
}

// unreachable adds the address and a hint to an error of a first contact.
func (c *Cluster) unreachable(err error) error {
	if err == nil {
		return nil
	}
	cause := err
	err = fmt.Errorf("the API server %s: %w", c.rest.Host, brief{err})
	switch {
	case apierrors.IsUnauthorized(cause), apierrors.IsForbidden(cause):
		return hint.With(err, "check the user of the kubeconfig")
	case apierrors.IsInternalError(cause), apierrors.IsServiceUnavailable(cause):
		return hint.With(err, "the API server is not well: look at its log and at etcd")
	case apierrors.ReasonForError(cause) == metav1.StatusReasonUnknown:
		return hint.With(err, "check that the cluster runs and that the kubeconfig names its address and CA")
	}
	return err
}
