// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// wellKnown are small valid objects without a name, of kinds that webhooks are for. The
// pods are such as the strictest policy allows.
func wellKnown() []*unstructured.Unstructured {
	pod := map[string]any{
		"securityContext": map[string]any{"runAsNonRoot": true, "runAsUser": int64(65534), "seccompProfile": map[string]any{"type": "RuntimeDefault"}},
		"containers": []any{map[string]any{
			"name": "canary", "image": "registry.invalid/canary:0",
			"resources":       map[string]any{"requests": map[string]any{"cpu": "1m", "memory": "1Mi"}, "limits": map[string]any{"cpu": "1m", "memory": "1Mi"}},
			"securityContext": map[string]any{"allowPrivilegeEscalation": false, "capabilities": map[string]any{"drop": []any{"ALL"}}},
		}},
	}
	chosen := map[string]any{"matchLabels": map[string]any{"app": canaryName}}
	template := map[string]any{"metadata": map[string]any{"labels": map[string]any{"app": canaryName}}, "spec": pod}
	job := maps.Clone(pod)
	job["restartPolicy"] = "Never"
	ports := []any{map[string]any{"port": int64(80)}}
	rule := map[string]any{"host": "canary.invalid", "http": map[string]any{"paths": []any{map[string]any{
		"path": "/", "pathType": "Prefix",
		"backend": map[string]any{"service": map[string]any{"name": canaryName, "port": map[string]any{"number": int64(80)}}},
	}}}}
	claim := map[string]any{"accessModes": []any{"ReadWriteOnce"}, "resources": map[string]any{"requests": map[string]any{"storage": "1Mi"}}}
	small := func(apiVersion, kind string, spec map[string]any) *unstructured.Unstructured {
		object := map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{}}
		if spec != nil {
			object["spec"] = spec
		}
		return &unstructured.Unstructured{Object: object}
	}
	return []*unstructured.Unstructured{
		small("v1", "ConfigMap", nil),
		small("v1", "Secret", nil),
		small("v1", "ServiceAccount", nil),
		small("v1", "Namespace", nil),
		small("v1", "Pod", pod),
		small("v1", "Service", map[string]any{"ports": ports}),
		small("v1", "PersistentVolumeClaim", claim),
		small("apps/v1", "Deployment", map[string]any{"selector": chosen, "template": template}),
		small("apps/v1", "StatefulSet", map[string]any{"serviceName": canaryName, "selector": chosen, "template": template}),
		small("apps/v1", "DaemonSet", map[string]any{"selector": chosen, "template": template}),
		small("batch/v1", "Job", map[string]any{"template": map[string]any{"spec": job}}),
		small("networking.k8s.io/v1", "Ingress", map[string]any{"rules": []any{rule}}),
		small("networking.k8s.io/v1", "NetworkPolicy", map[string]any{"podSelector": map[string]any{}}),
	}
}

// label gives u labels that the webhook selects; it reports whether it could.
func label(u *unstructured.Unstructured, w *webhook) bool {
	set := labels.Set{}
	selectors := []labels.Selector{w.objects}
	if u.GetKind() == "Namespace" { // it is selected as what is in it
		selectors = append(selectors, w.namespaces)
	}
	for _, selector := range selectors {
		requirements, _ := selector.Requirements()
		for _, r := range requirements {
			switch values := r.Values().List(); r.Operator() {
			case selection.In, selection.Equals, selection.DoubleEquals:
				set[r.Key()] = values[0]
			case selection.Exists:
				set[r.Key()] = canaryName
			default:
			}
		}
	}
	if len(set) > 0 {
		u.SetLabels(set)
	}
	return w.objects.Matches(set)
}

// namespace reports whether the webhook selects the namespace of o. An o without a name
// is put into one that it does select.
func (s *surroundings) namespace(ctx context.Context, w *webhook, o *object) (bool, error) {
	switch {
	case isNamespace(o.Ref):
		return w.namespaces.Matches(labels.Set(o.body.GetLabels())), nil
	case !o.resource.namespaced:
		return true, nil
	}
	spaces, err := s.all(ctx)
	if err != nil {
		return false, err
	}
	if o.Name != "" {
		set, there := spaces[o.Namespace]
		return there && w.namespaces.Matches(set), nil
	}
	for _, name := range s.favourites(spaces) {
		if w.namespaces.Matches(spaces[name]) {
			o.Namespace = name
			return true, nil
		}
	}
	return false, nil
}

// favourites are the namespaces of the set, and then the others.
func (s *surroundings) favourites(spaces map[string]labels.Set) []string {
	var names []string
	for _, u := range s.objs {
		if _, there := spaces[u.GetNamespace()]; there && !slices.Contains(names, u.GetNamespace()) {
			names = append(names, u.GetNamespace())
		}
	}
	return append(names, slices.Sorted(maps.Keys(spaces))...)
}

// all asks for the namespaces once.
func (s *surroundings) all(ctx context.Context) (map[string]labels.Set, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.spaces != nil {
		return s.spaces, nil
	}
	list, err := s.cluster.typed.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing the namespaces: %w", err)
	}
	s.spaces = make(map[string]labels.Set, len(list.Items))
	for _, n := range list.Items {
		if n.DeletionTimestamp == nil {
			s.spaces[n.Name] = n.Labels
		}
	}
	return s.spaces, nil
}
