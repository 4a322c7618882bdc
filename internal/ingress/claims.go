// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"encoding/json"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Kinds of path. An Ingress may leave it to the implementation, which takes it
// for a prefix.
const (
	exact  = "Exact"
	prefix = "Prefix"
)

// The annotations of an Ingress that say whose it is, and at which ports.
const (
	classAnnotation       = "kubernetes.io/ingress.class"
	entryPointsAnnotation = "traefik.ingress.kubernetes.io/router.entrypoints"
)

// ingressClaims are what an Ingress asks for, if it is of the class or of none.
func ingressClaims(class string, o *unstructured.Unstructured) []claim {
	of := text(o.Object, "spec", "ingressClassName")
	if of == "" {
		of = o.GetAnnotations()[classAnnotation]
	}
	if of != "" && of != class {
		return nil
	}
	ports := []int64{80, 443}
	switch o.GetAnnotations()[entryPointsAnnotation] {
	case "web":
		ports = []int64{80}
	case "websecure":
		ports = []int64{443}
	}
	var claims []claim
	for _, port := range ports {
		rules := maps(o.Object, "spec", "rules")
		if _, ok, _ := unstructured.NestedMap(o.Object, "spec", "defaultBackend"); ok {
			claims = append(claims, claim{port, "*", "default", "/"})
		}
		for _, rule := range rules {
			for _, p := range maps(rule, "http", "paths") {
				kind := prefix
				if text(p, "pathType") == exact {
					kind = exact
				}
				claims = append(claims, claim{port, anyHost(text(rule, "host")), kind, plainPath(kind, text(p, "path"))})
			}
		}
	}
	return claims
}

// listener is a port of a Gateway.
type listener struct {
	namespace, gateway, name, host string
	port                           int64
}

func listenersOf(class string, gateways []*unstructured.Unstructured) []listener {
	var all []listener
	for _, g := range gateways {
		if text(g.Object, "spec", "gatewayClassName") != class {
			continue
		}
		for _, l := range maps(g.Object, "spec", "listeners") {
			all = append(all, listener{g.GetNamespace(), g.GetName(), text(l, "name"), text(l, "hostname"), number(l, "port")})
		}
	}
	return all
}

// routeClaims are what an HTTPRoute asks for at the listeners that it names.
func routeClaims(listeners []listener, o *unstructured.Unstructured) []claim {
	var claims []claim
	for _, l := range listeners {
		if !slices.ContainsFunc(maps(o.Object, "spec", "parentRefs"), func(ref map[string]any) bool { return l.named(ref, o.GetNamespace()) }) {
			continue
		}
		hosts, _, _ := unstructured.NestedStringSlice(o.Object, "spec", "hostnames")
		if len(hosts) == 0 {
			hosts = []string{l.host}
		}
		for _, rule := range maps(o.Object, "spec", "rules") {
			matches := maps(rule, "matches")
			if len(matches) == 0 {
				matches = []map[string]any{{}}
			}
			for _, m := range matches {
				for _, host := range hosts {
					kind, path := routeMatch(m)
					claims = append(claims, claim{l.port, anyHost(host), kind, path})
				}
			}
		}
	}
	return claims
}

// named reports whether a route in a namespace attaches to the listener by ref.
func (l listener) named(ref map[string]any, namespace string) bool {
	if of := text(ref, "namespace"); of != "" {
		namespace = of
	}
	kind, section, port := text(ref, "kind"), text(ref, "sectionName"), number(ref, "port")
	return (kind == "" || kind == "Gateway") && text(ref, "name") == l.gateway && namespace == l.namespace &&
		(section == "" || section == l.name) && (port == 0 || port == l.port)
}

// routeMatch gives the path of a match, and its kind with all else that has to
// match: routes that differ there share a path on purpose.
func routeMatch(m map[string]any) (kind, path string) {
	kind = text(m, "path", "type")
	if kind == "" || kind == "PathPrefix" {
		kind = prefix
	}
	path = plainPath(kind, text(m, "path", "value"))
	for _, field := range []string{"headers", "queryParams", "method"} {
		if value, ok := m[field]; ok {
			more, _ := json.Marshal(value) // what came from JSON
			kind += " " + field + string(more)
		}
	}
	return kind, path
}

func plainPath(kind, path string) string {
	if path == "" {
		return "/"
	}
	if kind == prefix && len(path) > 1 {
		return "/" + strings.Trim(path, "/")
	}
	return path
}

func anyHost(host string) string {
	if host == "" {
		return "*"
	}
	return strings.ToLower(host)
}

// text, number and maps read what the API server has checked; what is not there
// is empty.
func text(o map[string]any, at ...string) string {
	s, _, _ := unstructured.NestedString(o, at...)
	return s
}

func number(o map[string]any, at ...string) int64 {
	n, _, _ := unstructured.NestedInt64(o, at...)
	return n
}

func maps(o map[string]any, at ...string) []map[string]any {
	list, _, _ := unstructured.NestedFieldNoCopy(o, at...)
	items, _ := list.([]any)
	all := make([]map[string]any, 0, len(items))
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			all = append(all, m)
		}
	}
	return all
}
