// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"clusterup.dev/clusterup/internal/converge"
)

// guards are webhooks of a set, and which of its custom resources they stand before:
// those can only be applied once what serves the webhooks is ready.
type guards struct {
	hooks    []*webhook
	services []service
	configs  []*unstructured.Unstructured
	kinds    map[string]bool // "group/kind" that are converted
}

func guardsOf(objects []ObjectPlan) (*guards, error) {
	g := &guards{kinds: make(map[string]bool)}
	for _, p := range objects {
		u := p.wanted.body
		switch {
		case isCRD(p.Ref):
			if strategy, _, _ := unstructured.NestedString(u.Object, "spec", "conversion", "strategy"); strategy != "Webhook" {
				continue
			}
			g.configs = append(g.configs, u)
			g.services = append(g.services, serviceOf(u, "spec", "conversion", "webhook", "clientConfig", "service"))
			for gvk := range kindsOf(u) {
				g.kinds[gvk.GroupKind().String()] = true
			}
		case p.Ref.stage() == stageWebhooks && p.Ref.Kind != "APIService":
			hooks, err := webhooksOf(u)
			if err != nil {
				return nil, err
			}
			g.configs, g.hooks = append(g.configs, u), append(g.hooks, hooks...)
			for _, w := range hooks {
				g.services = append(g.services, w.service())
			}
		}
	}
	return g, nil
}

// before reports whether one of the webhooks is called for o, and has to answer. One
// that may fail is not waited for: what serves it may need o to become ready.
func (g *guards) before(o *object) bool {
	if !isCustom(o.Ref) {
		return false
	}
	for _, w := range g.hooks {
		made, changed := w.intercepts(o.target().gvr, o.target().namespaced)
		if (made || changed) && !w.failsOpen() && w.objects.Matches(labels.Set(o.body.GetLabels())) {
			return true
		}
	}
	return g.kinds[o.gvk().GroupKind().String()]
}

// await waits until what serves the webhooks is ready, and they answer.
func (g *guards) await(ctx context.Context, c *Cluster, p *Plan) error {
	converge.Progress(ctx, "waiting for the webhooks that custom resources pass")
	options := p.options.Wait
	for _, o := range p.Objects {
		options.more = append(options.more, o.wanted.body)
	}
	if err := c.Wait(ctx, append(g.servers(p.Objects), g.configs...), options); err != nil {
		return fmt.Errorf("before the custom resources that its webhooks check: %w", err)
	}
	return nil
}

// servers are the workloads that the webhooks' Services select.
func (g *guards) servers(objects []ObjectPlan) []*unstructured.Unstructured {
	var found []*unstructured.Unstructured
	for _, workload := range objects {
		if workload.Ref.stage() != stageWorkloads {
			continue
		}
		pods, _, _ := unstructured.NestedStringMap(workload.wanted.body.Object, "spec", "template", "metadata", "labels")
		for _, s := range g.services {
			if workload.Ref.Namespace == s.namespace && selects(objects, s, pods) {
				found = append(found, workload.wanted.body)
				break
			}
		}
	}
	return found
}

func selects(objects []ObjectPlan, s service, pods map[string]string) bool {
	for _, p := range objects {
		if p.Ref.APIVersion != "v1" || p.Ref.Kind != "Service" || p.Ref.Namespace != s.namespace || p.Ref.Name != s.name {
			continue
		}
		chosen, _, _ := unstructured.NestedStringMap(p.wanted.body.Object, "spec", "selector")
		return len(chosen) > 0 && labels.SelectorFromSet(chosen).Matches(labels.Set(pods))
	}
	return false
}
