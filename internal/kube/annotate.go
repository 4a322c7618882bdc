// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// AnnotatePod sets one annotation of a pod. Its node syncs the pod for it, and
// so looks at once at the ConfigMaps and Secrets that the pod mounts.
func (c *Cluster) AnnotatePod(ctx context.Context, namespace, pod, key, value string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{key: value}}})
	if err != nil {
		return err
	}
	options := metav1.PatchOptions{FieldManager: Manager}
	if _, err := c.typed.CoreV1().Pods(namespace).Patch(ctx, pod, types.MergePatchType, body, options); err != nil {
		return fmt.Errorf("annotating pod %s/%s: %w", namespace, pod, err)
	}
	return nil
}
