// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/fieldpath"
)

// longestGatePause is how long it may take until it is seen that a webhook answers;
// registeredFor is how old a wait has to be before that counts: the API server takes
// a moment to see a new webhook, and until then nothing is intercepted.
const (
	longestGatePause = time.Second
	registeredFor    = time.Second
)

// call is something that the API server calls: a webhook, or another API server. Until
// it answers, requests of everybody are refused, so what needs it has to wait.
type call struct {
	subject string
	name    string // "webhook pods.example.com"
	// answers says in the server's words why not; "" when it does.
	answers func(ctx context.Context) (string, error)
}

// calls are what objs make the API server call, except for what is skipped.
func (c *Cluster) calls(objs []*unstructured.Unstructured, o WaitOptions) ([]*call, error) {
	var all []*call
	surroundings := &surroundings{cluster: c, objs: slices.Concat(objs, o.more)}
	for _, u := range objs {
		switch r := RefOf(u); {
		case o.skips(r):
		case r.Kind == "APIService" && r.stage() == stageWebhooks:
			all = append(all, c.aggregated(u)...)
		case r.stage() == stageWebhooks:
			hooks, err := webhooksOf(u)
			if err != nil {
				return nil, err
			}
			for _, w := range hooks {
				all = append(all, &call{subject: r.String(), name: "webhook " + w.Name, answers: func(ctx context.Context) (string, error) {
					return surroundings.try(ctx, w)
				}})
			}
		case isCRD(r):
			all = append(all, c.conversion(u)...)
		}
	}
	return all, nil
}

// gate asks all calls once, and gives those that do not answer.
func gate(ctx context.Context, calls []*call) (pending []Pending, err error) {
	words := make([]string, len(calls))
	err = each(ctx, calls, func(ctx context.Context, i int, one *call) error {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		var err error
		words[i], err = one.answers(ctx)
		return err
	})
	for i, one := range calls {
		if words[i] != "" {
			pending = append(pending, one.pending(words[i]))
		}
	}
	return pending, err
}

func (c *call) pending(words string) Pending {
	return Pending{Subject: c.subject, Reason: c.name + " does not answer: " + words}
}

// aggregated is the API that an APIService has the server pass on.
func (c *Cluster) aggregated(u *unstructured.Unstructured) []*call {
	group, _, _ := unstructured.NestedString(u.Object, "spec", "group")
	version, _, _ := unstructured.NestedString(u.Object, "spec", "version")
	if _, passedOn, _ := unstructured.NestedMap(u.Object, "spec", "service"); !passedOn {
		return nil
	}
	return []*call{{subject: RefOf(u).String(), name: "API " + group + "/" + version, answers: func(ctx context.Context) (string, error) {
		err := c.typed.Discovery().RESTClient().Get().AbsPath("/apis", group, version).Do(ctx).Error()
		return refusal(ctx, err)
	}}}
}

// conversion is the webhook that converts between the versions of a kind. Listing them
// in a version that is not stored makes the server call it, if there are any.
func (c *Cluster) conversion(u *unstructured.Unstructured) []*call {
	if strategy, _, _ := unstructured.NestedString(u.Object, "spec", "conversion", "strategy"); strategy != "Webhook" {
		return nil
	}
	var calls []*call
	stored := storedVersion(u)
	for gvk, r := range kindsOf(u) {
		if gvk.Version == stored {
			continue
		}
		calls = append(calls, &call{subject: RefOf(u).String(), name: "conversion webhook for " + gvk.Version, answers: func(ctx context.Context) (string, error) {
			_, err := c.dynamic.Resource(r.gvr).List(ctx, metav1.ListOptions{Limit: 1})
			if words, err := refusal(ctx, err); words != "" || err != nil {
				return words, err
			}
			return c.endpoints(ctx, serviceOf(u, "spec", "conversion", "webhook", "clientConfig", "service"))
		}})
	}
	return calls
}

func storedVersion(definition *unstructured.Unstructured) string {
	versions, _, _ := unstructured.NestedSlice(definition.Object, "spec", "versions")
	for _, v := range versions {
		if m, ok := v.(map[string]any); ok && m["storage"] == true {
			return fieldpath.Text(m["name"])
		}
	}
	return ""
}

// refusal is what the server says of a call that failed; "" for none. Where it cannot be asked at
// all, that is an error.
func refusal(ctx context.Context, err error) (string, error) {
	switch {
	case err == nil:
		return "", nil
	case ctx.Err() != nil || lostConnection(err):
		return "", err
	}
	return err.Error(), nil
}

// endpoints says why a Service cannot be reached; "" when it has a ready endpoint, and
// where the webhook is no Service at all.
func (c *Cluster) endpoints(ctx context.Context, s service) (string, error) {
	if s.name == "" {
		return "", nil
	}
	slices, err := c.typed.DiscoveryV1().EndpointSlices(s.namespace).List(ctx, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=" + s.name})
	if err != nil {
		return refusal(ctx, err)
	}
	for _, slice := range slices.Items {
		for _, e := range slice.Endpoints {
			if e.Conditions.Ready == nil || *e.Conditions.Ready {
				return "", nil
			}
		}
	}
	return fmt.Sprintf("Service %s/%s has no ready endpoint", s.namespace, s.name), nil
}

// service names a Service; the zero value names none.
type service struct{ namespace, name string }

func serviceOf(u *unstructured.Unstructured, path ...string) service {
	ref, _, _ := unstructured.NestedMap(u.Object, path...)
	namespace, _ := ref["namespace"].(string)
	name, _ := ref["name"].(string)
	return service{namespace, name}
}

// gated asks all calls, ever less often. It is done when all answer
// at once.
func (w *waiter) gated(ctx context.Context) (done bool, err error) {
	if len(w.calls) == 0 {
		return true, nil
	}
	if w.gatePause == 0 {
		w.gatePause = pace
		w.pending = nil
		for _, one := range w.calls {
			w.pending = append(w.pending, one.pending("it was not called yet"))
		}
	}
	if !time.Now().After(w.nextCall) {
		return false, nil
	}
	silent, err := gate(ctx, w.calls)
	if err != nil {
		return false, w.passing(ctx, err)
	}
	if len(silent) == 0 && time.Since(w.started) >= registeredFor {
		w.calls = nil
		return true, nil
	}
	if len(silent) == 0 {
		w.nextCall = w.started.Add(registeredFor)
		return false, nil
	}
	w.pending = silent
	converge.Progress(ctx, "%s", summary(silent))
	w.nextCall = time.Now().Add(w.gatePause)
	w.gatePause = min(2*w.gatePause, longestGatePause)
	return false, nil
}
