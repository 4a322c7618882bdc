// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Node is one node as the API server knows it.
type Node struct {
	Name   string
	Ready  bool
	Reason string // why it is not ready
}

// Nodes lists the nodes by name.
func (c *Cluster) Nodes(ctx context.Context) ([]Node, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	list, err := c.typed.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing the nodes: %w", err)
	}
	nodes := make([]Node, 0, len(list.Items))
	for _, item := range list.Items {
		n := Node{Name: item.Name, Reason: "its kubelet has not reported yet"}
		for _, cond := range item.Status.Conditions {
			if cond.Type == corev1.NodeReady {
				n.Ready = cond.Status == corev1.ConditionTrue
				n.Reason = cond.Message
			}
		}
		if n.Ready {
			n.Reason = ""
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}
