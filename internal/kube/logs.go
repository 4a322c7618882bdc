// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// How much of a container's log is quoted.
const lastLineCount, lastLineBytes = 5, 4096

// lastLines are the last lines of a container that has crashed: of the run before, or
// of this one where there is none. They are a help and not the finding, so it is no
// error that there are none: the node may have cleaned up, or not answer.
func (c *Cluster) lastLines(ctx context.Context, namespace, pod, container string) []string {
	for _, previous := range []bool{true, false} {
		raw, err := c.typed.CoreV1().Pods(namespace).GetLogs(pod, &corev1.PodLogOptions{
			Container: container, Previous: previous, TailLines: new(int64(lastLineCount)), LimitBytes: new(int64(lastLineBytes)),
		}).DoRaw(ctx)
		text := strings.TrimSpace(string(raw))
		if err == nil && text != "" && !strings.HasPrefix(text, "unable to retrieve container logs") {
			return strings.Split(text, "\n")
		}
	}
	return nil
}
