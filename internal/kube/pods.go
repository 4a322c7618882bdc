// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Pod is what is needed to choose a pod and to speak with it.
type Pod struct {
	Name, UID, Node, IP string
	Labels              map[string]string
	Ready               bool // its readiness probes succeed
	Running             bool // all its containers run, ready or not: it can be dialled
	Deleting            bool
	Restarts            int
	Reason              string    // why it is not ready, as far as it tells
	Since               time.Time // of Ready, one way or the other; zero when it does not tell
}

// Pods lists the pods that selector chooses, by name; an empty selector chooses all.
func (c *Cluster) Pods(ctx context.Context, namespace, selector string) ([]Pod, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	list, err := c.typed.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, fmt.Errorf("listing the pods of namespace %s: %w", namespace, err)
	}
	pods := make([]Pod, 0, len(list.Items))
	for i := range list.Items {
		pods = append(pods, describe(&list.Items[i]))
	}
	return pods, nil
}

func describe(pod *corev1.Pod) Pod {
	p := Pod{
		Name: pod.Name, UID: string(pod.UID), Node: pod.Spec.NodeName, IP: pod.Status.PodIP, Labels: pod.Labels,
		Ready:    hasCondition(pod, corev1.PodReady, corev1.ConditionTrue),
		Running:  pod.Status.Phase == corev1.PodRunning && len(pod.Status.ContainerStatuses) > 0,
		Deleting: pod.DeletionTimestamp != nil,
	}
	for _, s := range pod.Status.ContainerStatuses {
		p.Running = p.Running && s.State.Running != nil
	}
	for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		p.Restarts += int(s.RestartCount)
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			p.Since = c.LastTransitionTime.Time
		}
	}
	if causes := podCauses(pod); len(causes) > 0 {
		causes[0].pod = "" // whoever asks knows
		p.Reason = causes[0].String()
	}
	return p
}

// DeletePod asks the pod with this UID to end, with the grace that it has, and does
// not wait for it. One that is gone, or there with another UID, is success.
func (c *Cluster) DeletePod(ctx context.Context, namespace, name, uid string) error {
	r := Ref{APIVersion: "v1", Kind: "Pod", Namespace: namespace, Name: name, UID: uid}
	options := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: new(types.UID(uid))}}
	return persist(ctx, r, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		err := c.typed.CoreV1().Pods(namespace).Delete(ctx, name, options)
		if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return nil
		}
		return explain(r, err)
	})
}
