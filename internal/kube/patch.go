// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"clusterup.dev/clusterup/internal/hint"
)

// callTimeout bounds one request, admission webhooks (at most 30 s) included.
const callTimeout = 40 * time.Second

// patch is how a server-side apply is made.
type patch struct {
	dryRun bool
	force  bool
	basis  string // the resourceVersion that must still be there; "" for any
}

// patch applies o and returns what it became, or would become.
func (c *Cluster) patch(ctx context.Context, o *object, p patch) (*unstructured.Unstructured, error) {
	body, err := bodyOf(o, p.basis)
	if err != nil {
		return nil, err
	}
	options := metav1.PatchOptions{FieldManager: Manager, Force: &p.force, FieldValidation: metav1.FieldValidationStrict}
	if p.dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return c.client(o.target(), o.Namespace).Patch(ctx, o.Name, types.ApplyPatchType, body, options)
}

func bodyOf(o *object, basis string) ([]byte, error) {
	object := o.body.Object
	if basis != "" {
		metadata, _ := object["metadata"].(map[string]any)
		object, metadata = maps.Clone(object), maps.Clone(metadata)
		metadata["resourceVersion"] = basis
		object["metadata"] = metadata
	}
	return json.Marshal(object)
}

// explain adds the object, and what the reader can do, to a refusal by the server.
func explain(r Ref, err error) error {
	cause := err
	err = fmt.Errorf("%s: %w", r, err)
	switch {
	case apierrors.IsInvalid(cause):
		return hint.With(err, "correct the manifest")
	case apierrors.IsForbidden(cause) && apierrors.HasStatusCause(cause, "NamespaceTerminating"):
		return hint.With(err, "the namespace %s is being deleted: run again when it is gone", r.Namespace)
	case apierrors.IsForbidden(cause):
		return hint.With(err, "the user of the kubeconfig needs the right to patch this kind")
	}
	return err
}
