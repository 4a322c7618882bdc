// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// canaryName is the name of objects that are only made in dry-runs, and the manager
// of what is changed in them.
const canaryName = "clusterup-canary"

// surroundings are where canaries are looked for: the objects of the set, and the
// namespaces of the cluster.
type surroundings struct {
	cluster *Cluster
	objs    []*unstructured.Unstructured

	mu     sync.Mutex
	spaces map[string]labels.Set // nil until they are asked for
	kinds  map[schema.GroupVersionKind]resource
}

// served are the kinds of the candidates that are served; it asks once.
func (s *surroundings) served(ctx context.Context) (map[schema.GroupVersionKind]resource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kinds != nil {
		return s.kinds, nil
	}
	var gvks []schema.GroupVersionKind
	for _, u := range slices.Concat(s.objs, wellKnown()) {
		gvks = append(gvks, RefOf(u).gvk())
	}
	var err error
	s.kinds, err = s.cluster.kinds.resolve(ctx, gvks)
	return s.kinds, err
}

// canary is a request that a webhook intercepts; dry is only its dry-run.
type canary func(ctx context.Context) error

// try lets the server call the webhook: by a dry-run of a request that it intercepts,
// or, where there is none that tells, by looking for its endpoints. It gives the
// server's last words if the webhook does not answer.
func (s *surroundings) try(ctx context.Context, w *webhook) (string, error) {
	if w.failsOpen() || !w.dryRuns() {
		return s.cluster.endpoints(ctx, w.service())
	}
	tried := 0
	for _, candidate := range slices.Concat(s.objs, wellKnown()) {
		request, err := s.request(ctx, w, candidate)
		if err != nil {
			return "", err
		}
		if request == nil {
			continue
		}
		if tried++; tried > mostCanaries {
			break
		}
		switch err := request(ctx); {
		case err == nil && len(w.MatchConditions) > 0:
			// It may not have been called: its conditions are not known here.
		case err == nil || w.denied(err):
			return "", nil
		case unanswered(err) != "":
			return w.words(err), nil
		case ctx.Err() != nil || lostConnection(err):
			return "", err
		}
	}
	return s.cluster.endpoints(ctx, w.service())
}

// mostCanaries is how many requests are tried for one webhook. Each but the last was
// refused before the webhook was asked.
const mostCanaries = 4

// request is the dry-run for a candidate; nil when the webhook does not intercept it.
func (s *surroundings) request(ctx context.Context, w *webhook, u *unstructured.Unstructured) (canary, error) {
	r := RefOf(u)
	if r.stage() == stageWebhooks {
		return nil, nil // these are never intercepted
	}
	served, err := s.served(ctx)
	if err != nil {
		return nil, err
	}
	res, ok := served[r.gvk()]
	if !ok {
		return nil, nil
	}
	made, changed := w.intercepts(res.gvr, res.namespaced)
	if !made && !changed {
		return nil, nil
	}
	o, err := normalize(u)
	if err != nil {
		return nil, err
	}
	own := o.Name != ""
	if !own && !label(o.body, w) || own && !w.objects.Matches(labels.Set(o.body.GetLabels())) {
		return nil, nil
	}
	o.resource = res
	if matches, err := s.namespace(ctx, w, o); !matches || err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		if !own {
			return s.cluster.createDry(ctx, o, made)
		}
		live, err := s.cluster.get(ctx, o)
		switch {
		case err != nil:
			return err
		case live == nil || !changed:
			return s.cluster.createDry(ctx, o, made)
		}
		return s.cluster.touchDry(ctx, o)
	}, nil
}

// errNotIntercepted is of a request that would tell nothing.
var errNotIntercepted = errors.New("the webhook is not called for it")

// createDry makes o under another name, dry; made says that this is intercepted.
func (c *Cluster) createDry(ctx context.Context, o *object, made bool) error {
	if !made {
		return errNotIntercepted
	}
	body := o.body.DeepCopy()
	body.SetName(canaryName)
	options := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: canaryName}
	_, err := c.client(o.resource, o.Namespace).Create(ctx, body, options)
	return err
}

// touchDry updates an object with nothing at all, dry.
func (c *Cluster) touchDry(ctx context.Context, o *object) error {
	metadata := map[string]any{"name": o.Name}
	if o.Namespace != "" {
		metadata["namespace"] = o.Namespace
	}
	body, err := json.Marshal(map[string]any{"apiVersion": o.APIVersion, "kind": o.Kind, "metadata": metadata})
	if err != nil {
		return err
	}
	options := metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: canaryName, Force: new(true)}
	_, err = c.client(o.resource, o.Namespace).Patch(ctx, o.Name, types.ApplyPatchType, body, options)
	return err
}
