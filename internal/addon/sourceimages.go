// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// podSpecs are where objects of Kubernetes keep what their pods look like.
var podSpecs = map[string][]string{ //nolint:gochecknoglobals // a table
	"Pod":                   {"spec"},
	"PodTemplate":           {"template", "spec"},
	"Deployment":            {"spec", "template", "spec"},
	"StatefulSet":           {"spec", "template", "spec"},
	"DaemonSet":             {"spec", "template", "spec"},
	"ReplicaSet":            {"spec", "template", "spec"},
	"ReplicationController": {"spec", "template", "spec"},
	"Job":                   {"spec", "template", "spec"},
	"CronJob":               {"spec", "jobTemplate", "spec", "template", "spec"},
}

// mirror maps the images of an object that nobody wrote for clusterup. Those that
// the chart's values got from image are mapped already.
func (r *renderer) mirror(o Object) {
	eachImage(o.Unstructured, func(ref string) string {
		full := fullRef(ref)
		if mapped := Mirror(full, r.Images); mapped != full && !slices.Contains(r.mapped, ref) {
			return mapped
		}
		return ref
	})
}

// fullRef spells out what container runtimes add: "nginx:1" is
// "docker.io/library/nginx:1".
func fullRef(ref string) string {
	host, rest, ok := strings.Cut(ref, "/")
	switch {
	case !ok:
		return "docker.io/library/" + ref
	case strings.ContainsAny(host, ".:") || host == "localhost":
		return ref
	}
	return "docker.io/" + host + "/" + rest
}

// eachImage lets change replace every image of an object's pods.
func eachImage(u *unstructured.Unstructured, change func(string) string) {
	at, ok := podSpecs[u.GetKind()]
	if group := u.GroupVersionKind().Group; !ok || group != "" && group != "apps" && group != "batch" {
		return
	}
	spec := u.Object
	for _, key := range at {
		spec, _ = spec[key].(map[string]any)
	}
	for _, key := range []string{"initContainers", "containers", "ephemeralContainers"} {
		eachText(spec[key], change, "image")
	}
	eachText(spec["volumes"], change, "image", "reference")
}

func eachText(list any, change func(string) string, path ...string) {
	items, _ := list.([]any)
	for _, item := range items {
		at, _ := item.(map[string]any)
		for _, key := range path[:len(path)-1] {
			at, _ = at[key].(map[string]any)
		}
		last := path[len(path)-1]
		if ref, ok := at[last].(string); ok && ref != "" {
			at[last] = change(ref)
		}
	}
}
