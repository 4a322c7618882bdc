// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// labelPrefix marks the labels by which objects that belong together are found.
const labelPrefix = "clusterup.dev/"

// collection is the wanted objects of one kind and what they have in common.
type collection struct {
	resource  resource
	namespace string // the one that they are all in; "" when they are in several or in none
	selector  string // the labels that they all carry; "" for none
	objects   []*object
}

// collect groups those of objects whose kind is served.
func collect(objects []*object) []*collection {
	byKind := make(map[schema.GroupVersionResource]*collection)
	var order []*collection
	for _, o := range objects {
		if !o.served {
			continue
		}
		col := byKind[o.resource.gvr]
		if col == nil {
			col = &collection{resource: o.resource, namespace: o.Namespace}
			byKind[o.resource.gvr] = col
			order = append(order, col)
		}
		if o.Namespace != col.namespace {
			col.namespace = ""
		}
		col.objects = append(col.objects, o)
	}
	for _, col := range order {
		col.selector = sharedLabels(col.objects)
	}
	return order
}

func sharedLabels(objects []*object) string {
	shared := make(map[string]string)
	for name, value := range objects[0].body.GetLabels() {
		if strings.HasPrefix(name, labelPrefix) {
			shared[name] = value
		}
	}
	for _, o := range objects[1:] {
		labels := o.body.GetLabels()
		maps.DeleteFunc(shared, func(name, value string) bool { return labels[name] != value })
	}
	terms := make([]string, 0, len(shared))
	for name, value := range shared {
		terms = append(terms, name+"="+value)
	}
	slices.Sort(terms)
	return strings.Join(terms, ",")
}
