// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"fmt"
	"slices"
	"strings"

	admission "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// webhook is one admission webhook, validating or mutating; what a manifest leaves out
// has the API's default.
type webhook struct {
	admission.ValidatingWebhook
	objects, namespaces labels.Selector
}

func webhooksOf(u *unstructured.Unstructured) ([]*webhook, error) {
	// What differs between the two kinds is not of interest.
	var config admission.ValidatingWebhookConfiguration
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &config); err != nil {
		return nil, fmt.Errorf("%s: %w", RefOf(u), err)
	}
	hooks := make([]*webhook, 0, len(config.Webhooks))
	for _, one := range config.Webhooks {
		w := &webhook{ValidatingWebhook: one}
		var err error
		if w.objects, err = selector(one.ObjectSelector); err == nil {
			w.namespaces, err = selector(one.NamespaceSelector)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: webhook %s: %w", RefOf(u), one.Name, err)
		}
		hooks = append(hooks, w)
	}
	return hooks, nil
}

// selector reads a selector; none selects everything.
func selector(s *metav1.LabelSelector) (labels.Selector, error) {
	if s == nil {
		return labels.Everything(), nil
	}
	return metav1.LabelSelectorAsSelector(s)
}

// failsOpen reports whether a request goes through when the webhook cannot be called:
// then no request tells whether it can.
func (w *webhook) failsOpen() bool {
	return w.FailurePolicy != nil && *w.FailurePolicy == admission.Ignore
}

// dryRuns reports whether the server calls it for a dry-run.
func (w *webhook) dryRuns() bool {
	return w.SideEffects != nil && (*w.SideEffects == admission.SideEffectClassNone || *w.SideEffects == admission.SideEffectClassNoneOnDryRun)
}

func (w *webhook) service() service {
	if s := w.ClientConfig.Service; s != nil {
		return service{s.Namespace, s.Name}
	}
	return service{}
}

// intercepts reports whether it is called for objects at gvr that are made, and that
// are changed.
func (w *webhook) intercepts(gvr schema.GroupVersionResource, namespaced bool) (made, changed bool) {
	for _, rule := range w.Rules {
		if !w.covers(rule.Rule, gvr, namespaced) {
			continue
		}
		whatever := slices.Contains(rule.Operations, admission.OperationAll)
		made = made || whatever || slices.Contains(rule.Operations, admission.Create)
		changed = changed || whatever || slices.Contains(rule.Operations, admission.Update)
	}
	return made, changed
}

func (w *webhook) covers(rule admission.Rule, gvr schema.GroupVersionResource, namespaced bool) bool {
	any := func(list []string, value string) bool {
		return slices.Contains(list, "*") || slices.Contains(list, value)
	}
	exact := w.MatchPolicy != nil && *w.MatchPolicy == admission.Exact
	if !any(rule.APIGroups, gvr.Group) || exact && !any(rule.APIVersions, gvr.Version) {
		return false
	}
	if rule.Scope != nil && *rule.Scope != admission.AllScopes && (*rule.Scope == admission.NamespacedScope) != namespaced {
		return false
	}
	return any(rule.Resources, gvr.Resource) || slices.Contains(rule.Resources, "*/*") || slices.Contains(rule.Resources, gvr.Resource+"/*")
}

// words are what the server says when it fails to call the webhook.
func (w *webhook) words(err error) string {
	text := err.Error()
	if _, rest, ok := strings.Cut(text, `failed calling webhook "`+w.Name+`": `); ok {
		return strings.TrimPrefix(rest, "failed to call webhook: ")
	}
	return text
}

// denied reports whether err is an answer of the webhook.
func (w *webhook) denied(err error) bool {
	return strings.Contains(err.Error(), `admission webhook "`+w.Name+`" denied the request`)
}
