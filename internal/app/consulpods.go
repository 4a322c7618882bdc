// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/consul"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/kube"
)

// revisionLabel is on every pod of a StatefulSet: the revision of its template.
const revisionLabel = "controller-revision-hash"

// statefulPods are the pods of one StatefulSet; it is what the consul package asks for.
type statefulPods struct {
	session         *Session
	namespace, name string
}

// look lists the pods that the StatefulSet owns, with the revision that they should have;
// "" when there is no such set.
func (p statefulPods) look(ctx context.Context) (pods []kube.Pod, revision string, err error) {
	cluster, err := p.session.reachable(ctx)
	if err != nil {
		return nil, "", err
	}
	set, err := cluster.Get(ctx, kube.Ref{APIVersion: "apps/v1", Kind: "StatefulSet", Namespace: p.namespace, Name: p.name})
	if err != nil || set == nil {
		return nil, "", err
	}
	revision, selector, err := p.wanted(set)
	if err != nil {
		return nil, "", err
	}
	pods, err = cluster.Pods(ctx, p.namespace, selector)
	return pods, revision, err
}

// Servers lists the pods of Consul. That there is no StatefulSet yet wraps ErrNotYet.
func (p statefulPods) Servers(ctx context.Context) ([]consul.Pod, error) {
	pods, revision, err := p.look(ctx)
	if err == nil && revision == "" {
		_, _, err = p.wanted(nil)
	}
	if err != nil {
		return nil, err
	}
	all := make([]consul.Pod, 0, len(pods))
	for _, pod := range pods {
		all = append(all, consul.Pod{
			Name: pod.Name, UID: pod.UID, Node: pod.Node, Ready: pod.Ready, Deleting: pod.Deleting,
			Current: pod.Labels[revisionLabel] == revision, Reason: pod.Reason, Since: pod.Since,
		})
	}
	return all, nil
}

// wanted is the revision that pods should have and how they are selected. It is not
// known before the StatefulSet's controller has seen the last change.
func (p statefulPods) wanted(set *unstructured.Unstructured) (revision, selector string, err error) {
	if set == nil {
		return "", "", fmt.Errorf("StatefulSet %s/%s: %w", p.namespace, p.name, converge.ErrNotYet)
	}
	seen, _, _ := unstructured.NestedInt64(set.Object, "status", "observedGeneration")
	revision, _, _ = unstructured.NestedString(set.Object, "status", "updateRevision")
	if seen != set.GetGeneration() || revision == "" {
		return "", "", fmt.Errorf("the revision of StatefulSet %s/%s: %w", p.namespace, p.name, converge.ErrNotYet)
	}
	return revision, selectorOf(set), nil
}

// Delete asks for the end of a pod.
func (p statefulPods) Delete(ctx context.Context, pod consul.Pod) error {
	return p.remove(ctx, pod.Name, pod.UID)
}

func (p statefulPods) remove(ctx context.Context, name, uid string) error {
	cluster, err := p.session.cluster(ctx)
	if err != nil {
		return err
	}
	return cluster.DeletePod(ctx, p.namespace, name, uid)
}
