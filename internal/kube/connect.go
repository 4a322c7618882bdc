// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"cmp"
	"fmt"
	"net/http"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"clusterup.dev/clusterup/internal/hint"
)

// Manager is the name under which this program owns fields.
const Manager = "clusterup"

// Config names a cluster the way kubectl does.
type Config struct {
	Kubeconfig string // path; empty means the default loading rules ($KUBECONFIG, ~/.kube/config)
	Context    string // empty means the current one
	Editor     string // what Edit owns fields as; empty means Manager
}

// Cluster is one API server. All its methods may be called side by side; they
// share one HTTP/2 connection.
type Cluster struct {
	rest     *rest.Config
	http     *http.Client
	dynamic  dynamic.Interface
	metadata metadata.Interface
	typed    kubernetes.Interface
	kinds    *kinds
	version  version
	editor   string
}

// Connect reads the kubeconfig and makes the clients. It does not speak to the
// server: Reachable does.
func Connect(cfg Config) (*Cluster, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = cfg.Kubeconfig
	overrides := &clientcmd.ConfigOverrides{CurrentContext: cfg.Context}
	restConfig, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides).ClientConfig()
	if err != nil {
		return nil, hint.With(fmt.Errorf("reading the kubeconfig: %w", err),
			"name a kubeconfig that exists, and a context in it, under spec.cluster.kubeconfig")
	}
	return connect(restConfig, cfg.Editor)
}

// Inside makes the clients of a pod, with what its ServiceAccount may.
func Inside(editor string) (*Cluster, error) {
	restConfig, err := rest.InClusterConfig()
	if err != nil {
		return nil, fmt.Errorf("reading what Kubernetes gives a pod: %w", err)
	}
	return connect(restConfig, editor)
}

// connect makes the clients for an editor, the one who is named for a change; clusterup when
// empty.
func connect(base *rest.Config, editor string) (*Cluster, error) {
	cfg := rest.CopyConfig(base)
	cfg.UserAgent = "clusterup"
	cfg.QPS = -1                           // the server's own fairness is the limit
	cfg.WarningHandler = rest.NoWarnings{} // warnings would go to stderr past the output
	client, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection to %s: %w", cfg.Host, err)
	}
	c := &Cluster{rest: cfg, http: client, editor: cmp.Or(editor, Manager)}
	if c.dynamic, err = dynamic.NewForConfigAndClient(cfg, client); err != nil {
		return nil, err
	}
	finder, err := discovery.NewDiscoveryClientForConfigAndClient(cfg, client)
	if err != nil {
		return nil, err
	}
	c.kinds = &kinds{discover: finder.GroupsAndMaybeResourcesWithContext}
	proto := rest.CopyConfig(cfg)
	proto.ContentType = "application/vnd.kubernetes.protobuf"
	proto.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	if c.metadata, err = metadata.NewForConfigAndClient(proto, client); err != nil {
		return nil, err
	}
	c.typed, err = kubernetes.NewForConfigAndClient(proto, client)
	return c, err
}

// Close drops idle connections.
func (c *Cluster) Close() { c.http.CloseIdleConnections() }
