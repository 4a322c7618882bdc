// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// watch sends when one of the objects, or a pod beside them, may have changed. It
// is a bell, not a source: who hears it looks for himself, so a lost watch costs
// time and nothing else. It ends with ctx.
func (c *Cluster) watch(ctx context.Context, objects []*object) <-chan struct{} {
	bell := make(chan struct{}, 1)
	collections := collect(objects)
	namespaces := make(map[string]bool)
	for _, o := range objects {
		if o.Namespace != "" {
			namespaces[o.Namespace] = true
		}
	}
	for namespace := range namespaces {
		collections = append(collections, &collection{
			resource: resource{gvr: corev1.SchemeGroupVersion.WithResource("pods"), namespaced: true}, namespace: namespace,
		})
	}
	for _, col := range collections {
		go c.ring(ctx, col, bell)
	}
	return bell
}

func (c *Cluster) ring(ctx context.Context, col *collection, bell chan<- struct{}) {
	for ctx.Err() == nil {
		events, err := c.metadata.Resource(col.resource.gvr).Namespace(col.namespace).Watch(ctx, metav1.ListOptions{LabelSelector: col.selector})
		if err == nil {
			for range events.ResultChan() {
				select {
				case bell <- struct{}{}:
				default: // it rings already
				}
			}
			events.Stop()
		}
		select { // a watch that cannot be held is not tried in a tight loop
		case <-ctx.Done():
		case <-time.After(sweep):
		}
	}
}
