// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"clusterup.dev/clusterup/internal/converge"
)

// guard is a webhook of a set that may stand before custom resources of it: those can
// only be applied once what serves it is ready.
type guard struct {
	config  *unstructured.Unstructured // what brings it, and nothing else that it brings
	service service
	hook    *webhook                  // an admission webhook, or nil:
	kinds   map[schema.GroupKind]bool // it converts these
}

type guards []guard

func guardsOf(objects []ObjectPlan) (guards, error) {
	var all guards
	for _, p := range objects {
		u := p.wanted.body
		switch {
		case isCRD(p.Ref):
			if strategy, _, _ := unstructured.NestedString(u.Object, "spec", "conversion", "strategy"); strategy != "Webhook" {
				continue
			}
			g := guard{config: u, service: serviceOf(u, "spec", "conversion", "webhook", "clientConfig", "service"), kinds: make(map[schema.GroupKind]bool)}
			for gvk := range kindsOf(u) {
				g.kinds[gvk.GroupKind()] = true
			}
			all = append(all, g)
		case p.Ref.stage() == stageWebhooks && p.Ref.Kind != "APIService":
			hooks, err := webhooksOf(u)
			if err != nil {
				return nil, err
			}
			list, _, _ := unstructured.NestedSlice(u.Object, "webhooks")
			for i, w := range hooks {
				alone := &unstructured.Unstructured{Object: maps.Clone(u.Object)}
				alone.Object["webhooks"] = list[i : i+1]
				all = append(all, guard{config: alone, service: w.service(), hook: w})
			}
		}
	}
	return all, nil
}

// before reports whether one of the webhooks has to answer before o can be applied.
func (all guards) before(o *object) bool {
	return slices.ContainsFunc(all, func(g guard) bool { return g.calledFor(o) })
}

// calledFor reports whether it is called for o, and has to answer. One that may fail
// is not waited for, nor one that is called for other kinds: what serves it may need o
// to become ready.
func (g guard) calledFor(o *object) bool {
	if !isCustom(o.Ref) {
		return false
	}
	if g.hook == nil {
		return g.kinds[o.gvk().GroupKind()]
	}
	made, changed := g.hook.intercepts(o.target().gvr, o.target().namespaced)
	return (made || changed) && !g.hook.failsOpen() && g.hook.objects.Matches(labels.Set(o.body.GetLabels()))
}

// await waits until what serves the webhooks that objects pass is ready, and they answer.
func (all guards) await(ctx context.Context, c *Cluster, p *Plan, objects []*ObjectPlan) error {
	converge.Progress(ctx, "waiting for the webhooks that custom resources pass")
	called := slices.DeleteFunc(slices.Clone(all), func(g guard) bool {
		return !slices.ContainsFunc(objects, func(o *ObjectPlan) bool { return g.calledFor(o.wanted) })
	})
	options := p.options.Wait
	for _, o := range p.Objects {
		options.more = append(options.more, o.wanted.body)
	}
	awaited := called.servers(p.Objects)
	for _, g := range called {
		awaited = append(awaited, g.config)
	}
	if err := c.Wait(ctx, awaited, options); err != nil {
		return fmt.Errorf("before the custom resources that its webhooks check: %w", err)
	}
	return nil
}

// servers are the workloads that the webhooks' Services select.
func (all guards) servers(objects []ObjectPlan) []*unstructured.Unstructured {
	var found []*unstructured.Unstructured
	for _, workload := range objects {
		if workload.Ref.stage() != stageWorkloads {
			continue
		}
		pods, _, _ := unstructured.NestedStringMap(workload.wanted.body.Object, "spec", "template", "metadata", "labels")
		for _, g := range all {
			if workload.Ref.Namespace == g.service.namespace && selects(objects, g.service, pods) {
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
