// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// kubeadm runs `kubeadm init` on node 1. Run again after a kill, it goes on from
// the files that are there.
func (b *booting) kubeadm(ctx context.Context, pid int) error {
	l := b.c.layout()
	f := newFacts(l, b.n, b.set, 1, b.c.Nodes, b.mtu, cniPlugins())
	for template, path := range map[string]string{"kubeadm.yaml": "kubeadm.yaml", "coredns.yaml": "patches/corednsdeployment+strategic.yaml"} {
		text, err := render(template, f)
		if err != nil {
			return err
		}
		if err := writeFile(l.node(1).path("etc", "kubernetes", path), text, 0o600); err != nil {
			return err
		}
	}
	log := filepath.Join(l.logs(), "kubeadm.log")
	file, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	cmd := inNode(ctx, pid, "kubeadm", "init", "--config", "/etc/kubernetes/kubeadm.yaml", "--ignore-preflight-errors", "all")
	cmd.Stdout, cmd.Stderr = file, file
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(log)
		return hint.With(fmt.Errorf("kubeadm init: %w%s", err, tail(string(text), 3)), "its log is %s", log)
	}
	return nil
}

// readyPatience bounds the wait for nodes: on a busy machine a start of all
// takes a minute at most.
const readyPatience = 4 * time.Minute

// ready gives the cluster its storage class and waits for all nodes. started
// says which ones this boot has started: what the API server knows of those
// may be from before.
func (b *booting) ready(ctx context.Context, pid int, started []bool) error {
	config, err := clientcmd.BuildConfigFromFlags("", b.c.layout().kubeconfig())
	if err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	config.Timeout = 5 * time.Second
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	again := b.was.Generation != ""
	stored := again
	return converge.Until(ctx, fmt.Sprintf("%d nodes", b.c.Nodes), readyPatience, func(ctx context.Context) (bool, string, error) {
		nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, "", err
		}
		if !stored {
			if err := b.storage(ctx, pid); err != nil {
				return false, "", err
			}
			stored = true
		}
		pending := ""
		for i := 1; i <= b.c.Nodes; i++ {
			since := time.Time{}
			if started[i] {
				since = b.start
			}
			if name := NodeName(b.c.Environment, i); !nodeReady(nodes.Items, name, since) {
				pending += " " + name
			}
		}
		if pending != "" {
			return false, "not ready:" + pending, nil
		}
		if again {
			if pod, err := b.stalePod(ctx, client, started); err != nil || pod != "" {
				return false, "the state of pod " + pod + " is from before its node died", err
			}
		}
		// The first thing that the controllers make and every pod needs.
		_, err = client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		return err == nil, "", err
	})
}

// nodeReady reports whether a node has said that it is ready, and said so since.
func nodeReady(nodes []corev1.Node, name string, since time.Time) bool {
	for _, n := range nodes {
		if n.Name != name {
			continue
		}
		for _, cond := range n.Status.Conditions {
			if cond.Type == corev1.NodeReady {
				return cond.Status == corev1.ConditionTrue && !cond.LastHeartbeatTime.Time.Before(since.Truncate(time.Second))
			}
		}
	}
	return false
}

// stalePod names a pod that the API server still shows as it ran before its node
// died, so that nobody who looks after this boot takes it for alive.
func (b *booting) stalePod(ctx context.Context, client kubernetes.Interface, started []bool) (string, error) {
	for i := 1; i <= b.was.Nodes; i++ {
		if !started[i] {
			continue
		}
		pods, err := client.CoreV1().Pods("").List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + NodeName(b.c.Environment, i)})
		if err != nil {
			return "", err
		}
		for _, p := range pods.Items {
			for _, s := range p.Status.ContainerStatuses {
				if s.State.Running != nil && s.State.Running.StartedAt.Time.Before(b.start.Truncate(time.Second)) {
					return p.Namespace + "/" + p.Name, nil
				}
			}
		}
	}
	return "", nil
}

func (b *booting) storage(ctx context.Context, pid int) error {
	manifest, err := render("cluster.yaml", newFacts(b.c.layout(), b.n, b.set, 1, b.c.Nodes, b.mtu, ""))
	if err != nil {
		return err
	}
	cmd := inNode(ctx, pid, "kubectl", "apply", "--server-side", "--force-conflicts", "--field-manager", "clusterup-local", "-f", "-")
	cmd.Stdin = bytes.NewReader(manifest)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("apply the storage class: %w%s", err, tail(string(out), 3))
	}
	b.say("the storage class is there")
	return nil
}
