// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/consul"
	"clusterup.dev/clusterup/internal/release"
	"clusterup.dev/clusterup/internal/secret"
)

// agentLabel is in the template of workloads whose pods hold a Consul client agent;
// its value is the port of the agent's plain HTTP API inside the pod.
const agentLabel = "clusterup.dev/consul-agent"

// agentAnnotation is what is written to a pod to have its node look at its mounts.
const agentAnnotation = "clusterup.dev/consul-ca"

// consulAgents finds them by the workloads of the release; it is what the consul
// package asks for. A label of a pod would not do: whoever may make a pod anywhere
// could have Consul's token sent to it, and pods of before the label, which nobody
// has restarted since, would be passed over.
type consulAgents struct{ session *Session }

// Agents lists those that run.
func (a consulAgents) Agents(ctx context.Context) ([]consul.Agent, error) {
	cluster, err := a.session.reachable(ctx)
	if err != nil {
		return nil, err
	}
	parts, err := a.session.parts(ctx)
	if err != nil {
		return nil, err
	}
	agents := []consul.Agent{}
	for _, w := range agentWorkloads(parts) {
		pods, err := cluster.Pods(ctx, w.namespace, w.selector)
		if err != nil {
			return nil, err
		}
		for _, p := range pods {
			if p.Running && !p.Deleting {
				agents = append(agents, consul.Agent{Namespace: w.namespace, Pod: p.Name, Port: w.port})
			}
		}
	}
	return agents, nil
}

// agentWorkload selects pods that hold an agent.
type agentWorkload struct {
	namespace, selector string
	port                int
}

// agentWorkloads are those of a release.
func agentWorkloads(parts []release.Part) []agentWorkload {
	all := []agentWorkload{}
	for _, part := range parts {
		for _, o := range part.Objects {
			label, _, _ := unstructured.NestedString(o.Object, "spec", "template", "metadata", "labels", agentLabel)
			port, err := strconv.Atoi(label)
			selector := selectorOf(o)
			if err == nil && o.GetNamespace() != "" && selector != "" {
				all = append(all, agentWorkload{o.GetNamespace(), selector, port})
			}
		}
	}
	return all
}

// selectorOf is how a workload selects its pods, by labels alone.
func selectorOf(o *unstructured.Unstructured) string {
	labels, _, _ := unstructured.NestedStringMap(o.Object, "spec", "selector", "matchLabels")
	selector := ""
	for _, name := range sortedKeys(labels) {
		if selector != "" {
			selector += ","
		}
		selector += name + "=" + labels[name]
	}
	return selector
}

// Refresh writes an annotation, for which the kubelet syncs the pod.
func (a consulAgents) Refresh(ctx context.Context, agent consul.Agent, why string) error {
	cluster, err := a.session.cluster(ctx)
	if err != nil {
		return err
	}
	return cluster.AnnotatePod(ctx, agent.Namespace, agent.Pod, agentAnnotation, why)
}

// olderTokens reads the older generations of a token of the environment.
func (s *Session) olderTokens(ctx context.Context, id string) ([]secret.Generation, error) {
	for _, spec := range s.specs {
		if spec.ID() == id {
			return s.keeper.Older(ctx, spec)
		}
	}
	return nil, nil
}
