// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

// untilGone waits until r is not there, or is another object of the same name.
func (c *Cluster) untilGone(ctx context.Context, res resource, r Ref, timeout time.Duration) error {
	held := ""
	err := converge.Until(ctx, r.String()+" to be gone", timeout, func(ctx context.Context) (bool, string, error) {
		live, err := c.get(ctx, &object{Ref: r, resource: res})
		if err != nil {
			return false, "", unlessPassing(r, err)
		}
		if live == nil || (r.UID != "" && string(live.GetUID()) != r.UID) {
			return true, "", nil
		}
		held = holding(live)
		return false, held, nil
	})
	if err != nil && strings.Contains(held, "finalizer") {
		return hint.With(err, "what set the finalizer has to remove it; if that is gone for ever, take it off by hand")
	}
	return err
}

// holding says what keeps an object that is being deleted.
func holding(live *unstructured.Unstructured) string {
	var why []string
	if finalizers := live.GetFinalizers(); len(finalizers) > 0 {
		why = append(why, "held by finalizer "+strings.Join(finalizers, ", "))
	}
	for _, kind := range []string{"NamespaceContentRemaining", "NamespaceFinalizersRemaining", "NamespaceDeletionContentFailure"} {
		if state, message := condition(live, kind); state == "True" {
			why = append(why, message)
		}
	}
	if len(why) == 0 && live.GetDeletionTimestamp() == nil {
		return "not being deleted"
	}
	return fmt.Sprint(strings.Join(why, "; "))
}
