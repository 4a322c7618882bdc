// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// kind is a kind of object in the benchmark, and how the n-th one is made.
type kind struct {
	name     string
	resource schema.GroupVersionResource
	fields   func(n int) map[string]any
}

// profiles are the mixtures of kinds; the first kind is the one that drifts.
func profiles() map[string][]kind {
	core := func(name, resource string, fields func(int) map[string]any) kind {
		return kind{name, schema.GroupVersionResource{Version: "v1", Resource: resource}, fields}
	}
	configMap := core("ConfigMap", "configmaps", func(n int) map[string]any {
		return map[string]any{"data": map[string]any{
			"level": "info", "listen": fmt.Sprintf("127.0.0.1:%d", 10000+n%50000), "text": strings.Repeat("some configuration ", 10),
		}}
	})
	return map[string][]kind{
		"configmaps": {configMap},
		"mixed": {
			configMap,
			core("Secret", "secrets", func(int) map[string]any {
				return map[string]any{"type": "Opaque", "data": map[string]any{"password": "bm90IGEgc2VjcmV0IGF0IGFsbA=="}}
			}),
			core("Service", "services", func(int) map[string]any {
				return map[string]any{"spec": map[string]any{
					"selector": map[string]any{"app.kubernetes.io/name": "bench"},
					"ports":    []any{map[string]any{"name": "http", "port": int64(80), "targetPort": int64(8080)}},
				}}
			}),
			{"Deployment", schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}, deployment},
			core("ServiceAccount", "serviceaccounts", func(int) map[string]any {
				return map[string]any{"automountServiceAccountToken": false}
			}),
			{"Role", schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"}, func(int) map[string]any {
				return map[string]any{"rules": []any{map[string]any{
					"apiGroups": []any{""}, "resources": []any{"configmaps"}, "verbs": []any{"get", "list", "watch"},
				}}}
			}},
		},
	}
}

// deployment is one that would start nothing even where controllers run.
func deployment(int) map[string]any {
	labels := map[string]any{"app.kubernetes.io/name": "bench"}
	return map[string]any{"spec": map[string]any{
		"replicas": int64(0), "paused": true,
		"selector": map[string]any{"matchLabels": labels},
		"template": map[string]any{
			"metadata": map[string]any{"labels": labels},
			"spec": map[string]any{"containers": []any{map[string]any{
				"name": "web", "image": "registry.example.com/web:1.0.0",
				"ports":     []any{map[string]any{"name": "http", "containerPort": int64(8080)}},
				"resources": map[string]any{"requests": map[string]any{"cpu": "10m", "memory": "16Mi"}},
			}}},
		},
	}}
}

// sample gives n objects in namespace, its kinds in turn.
func sample(kinds []kind, n int, namespace string) []*unstructured.Unstructured {
	objects := make([]*unstructured.Unstructured, n)
	for i := range objects {
		k := kinds[i%len(kinds)]
		o := map[string]any{
			"apiVersion": k.resource.GroupVersion().String(),
			"kind":       k.name,
			"metadata": map[string]any{
				"name": fmt.Sprintf("bench-%05d", i), "namespace": namespace,
				"labels": map[string]any{
					"app.kubernetes.io/name": "bench", "app.kubernetes.io/version": "1.0.0",
					"clusterup.dev/addon": "bench", "clusterup.dev/environment": "bench",
				},
			},
		}
		for name, value := range k.fields(i) {
			o[name] = value
		}
		objects[i] = &unstructured.Unstructured{Object: o}
	}
	return objects
}

// resourceOf finds where an object of the benchmark is served, without asking.
func resourceOf(u *unstructured.Unstructured) schema.GroupVersionResource {
	for _, k := range profiles()["mixed"] {
		if k.name == u.GetKind() {
			return k.resource
		}
	}
	return schema.GroupVersionResource{}
}

// resources are those of objects, each once.
func resources(objects []*unstructured.Unstructured) []schema.GroupVersionResource {
	seen := make(map[string]bool)
	var all []schema.GroupVersionResource
	for _, o := range objects {
		if !seen[o.GetKind()] {
			seen[o.GetKind()] = true
			all = append(all, resourceOf(o))
		}
	}
	return all
}
