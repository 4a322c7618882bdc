// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/hint"
)

// template is where a kind has the pods that it makes.
type template struct {
	path   string
	probed bool // somebody asks the pods whether they are ready
}

func (t template) steps() []string {
	return strings.FieldsFunc(t.path, func(r rune) bool { return r == '.' })
}

// templates are where the kinds with pods have them.
var templates = map[string]template{
	"Pod":                   {"", false},
	"Deployment":            {"spec.template", true},
	"StatefulSet":           {"spec.template", true},
	"DaemonSet":             {"spec.template", true},
	"ReplicaSet":            {"spec.template", true},
	"ReplicationController": {"spec.template", true},
	"Job":                   {"spec.template", false},
	"CronJob":               {"spec.jobTemplate.spec.template", false},
}

// workload looks at pods: images without an exact version and selectors that
// select nothing are errors; what a cluster would suffer is warned of.
func (l *linter) workload(a *addon.Addon, o addon.Object) {
	kind, ok := templates[o.GetKind()]
	if !ok {
		return
	}
	pod := mapping(o.Object, kind.steps()...)
	l.selector(o, pod)
	at := join(kind.path, "spec")
	spec := mapping(pod, "spec")
	for _, list := range []string{"initContainers", "containers"} {
		containers, _ := spec[list].([]any)
		for i := range containers {
			c, _ := containers[i].(map[string]any)
			if name, _ := c["name"].(string); name == "" {
				continue // has been reported
			}
			path := fmt.Sprintf("%s.%s[%d]", at, list, i)
			l.image(a, o, path, c)
			l.container(a, o, path, c, kind.probed && (list == "containers" || c["restartPolicy"] == "Always"))
		}
	}
	if _, ok := spec["securityContext"]; !ok {
		l.warn(hint.With(o.Fault(at, "%s: the pod has no securityContext", o.Title()), "%s",
			advise(a, o, `securityContext: {{- include "podSecurityContext" 65532 | nindent 8 }}`, "set one that makes it run as a user who is not root")))
	}
}

func (l *linter) container(a *addon.Addon, o addon.Object, path string, c map[string]any, probed bool) {
	name := c["name"]
	requests := mapping(c, "resources", "requests")
	if requests["cpu"] == nil || requests["memory"] == nil {
		l.warn(hint.With(o.Fault(path, "%s: container %s does not request cpu and memory", o.Title(), name), "%s",
			advise(a, o, "resources: {requests: {cpu: 10m, memory: 32Mi}}", "set resources.requests")))
	}
	if _, ok := c["securityContext"]; !ok {
		l.warn(hint.With(o.Fault(path, "%s: container %s has no securityContext", o.Title(), name), "%s",
			advise(a, o, `securityContext: {{- include "securityContext" . | nindent 12 }}`, "set one without privileges and capabilities")))
	}
	if probed && c["readinessProbe"] == nil && c["startupProbe"] == nil {
		l.warn(hint.With(o.Fault(path, "%s: container %s has no readinessProbe: it counts as ready as soon as it runs", o.Title(), name), "%s",
			advise(a, o, "readinessProbe: {httpGet: {port: http, path: /}}", "set a readinessProbe")))
	}
}

// selector reports labels that a workload selects by and its pods do not have.
func (l *linter) selector(o addon.Object, pod map[string]any) {
	labels := mapping(pod, "metadata", "labels")
	selected := mapping(o.Object, "spec", "selector", "matchLabels")
	if o.GetKind() == "Job" {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(selected)) {
		if labels[key] != selected[key] {
			l.report(o.Fault("spec.selector", "%s: spec.selector wants the label %s: %v, which its pods do not have", o.Title(), key, selected[key]))
		}
	}
}

// mapping gives a mapping inside another, or nil.
func mapping(in map[string]any, path ...string) map[string]any {
	found, _, _ := unstructured.NestedFieldNoCopy(in, path...)
	m, _ := found.(map[string]any)
	return m
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
