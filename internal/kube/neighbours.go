// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// neighbours is what lives in one namespace beside the objects, read once a look.
type neighbours struct {
	pods   []corev1.Pod
	sets   []appsv1.ReplicaSet
	events []corev1.Event // warnings, oldest first
}

func (c *Cluster) neighbours(ctx context.Context, namespace string) (*neighbours, error) {
	n := &neighbours{}
	reads := []func(context.Context) error{
		func(ctx context.Context) error {
			list, err := c.typed.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
			if err == nil {
				n.pods = list.Items
			}
			return err
		},
		func(ctx context.Context) error {
			list, err := c.typed.AppsV1().ReplicaSets(namespace).List(ctx, metav1.ListOptions{})
			if err == nil {
				n.sets = list.Items
			}
			return err
		},
		func(ctx context.Context) error {
			list, err := c.typed.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: "type=Warning"})
			if err == nil {
				n.events = list.Items
			}
			return err
		},
	}
	err := each(ctx, reads, func(ctx context.Context, _ int, read func(context.Context) error) error { return read(ctx) })
	if err != nil {
		return nil, fmt.Errorf("reading the pods and events of namespace %s: %w", namespace, err)
	}
	slices.SortStableFunc(n.events, func(a, b corev1.Event) int { return eventTime(a).Compare(eventTime(b)) })
	return n, nil
}

func eventTime(e corev1.Event) time.Time {
	switch {
	case e.Series != nil:
		return e.Series.LastObservedTime.Time
	case !e.LastTimestamp.IsZero():
		return e.LastTimestamp.Time
	}
	return e.EventTime.Time
}

// last is the newest warning about an object for one of the reasons; nil for none.
func (n *neighbours) last(uid types.UID, reasons ...string) *corev1.Event {
	for i := len(n.events) - 1; i >= 0; i-- {
		if e := &n.events[i]; e.InvolvedObject.UID == uid && slices.Contains(reasons, e.Reason) {
			return e
		}
	}
	return nil
}

// maker is what makes the pods of u: itself, or the newest ReplicaSet of a
// Deployment; pods of an older one say nothing about the present spec.
func (n *neighbours) maker(u *unstructured.Unstructured) types.UID {
	if u.GetKind() != "Deployment" {
		return u.GetUID()
	}
	newest, revision := types.UID(""), -1
	for i := range n.sets {
		set := &n.sets[i]
		if !metav1.IsControlledBy(set, u) {
			continue
		}
		if r, err := strconv.Atoi(set.Annotations["deployment.kubernetes.io/revision"]); err == nil && r > revision {
			newest, revision = set.UID, r
		}
	}
	return newest
}

func (n *neighbours) podsOf(u *unstructured.Unstructured, maker types.UID) []*corev1.Pod {
	var pods []*corev1.Pod
	for i := range n.pods {
		pod := &n.pods[i]
		owner := metav1.GetControllerOf(pod)
		if (u.GetKind() == "Pod" && pod.UID == u.GetUID()) || (owner != nil && owner.UID == maker) {
			pods = append(pods, pod)
		}
	}
	return pods
}
