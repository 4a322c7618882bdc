// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/kube"
)

// snapshotCronJob is the add-on consul's, which takes snapshots on schedule.
const snapshotCronJob = "consul-snapshot"

// clockSkew is how far the clocks of two machines may be apart.
const clockSkew = time.Minute

// missedSnapshot says that the schedule called for a snapshot and that none came of it;
// "" when all is well, and where nothing is scheduled.
func (s *Session) missedSnapshot(ctx context.Context, namespace string, newest time.Time) string {
	cluster, err := s.reachable(ctx)
	if err != nil {
		return "" // said by the cluster's own row
	}
	job, err := cluster.Get(ctx, kube.Ref{APIVersion: "batch/v1", Kind: "CronJob", Namespace: namespace, Name: snapshotCronJob})
	if err != nil {
		return "the snapshot job: " + err.Error()
	}
	due := dueSince(job, newest)
	if due.IsZero() {
		return ""
	}
	return fmt.Sprintf("the snapshot that was due %s ago is missing: see `kubectl -n %s get jobs`", Ago(time.Since(due)), namespace)
}

// dueSince is when the schedule last called for a snapshot that nobody took; zero when
// one was taken since, a job is at it, or there is no schedule.
func dueSince(job *unstructured.Unstructured, newest time.Time) time.Time {
	if job == nil {
		return time.Time{}
	}
	text, _, _ := unstructured.NestedString(job.Object, "status", "lastScheduleTime")
	due, err := time.Parse(time.RFC3339, text)
	running, _, _ := unstructured.NestedSlice(job.Object, "status", "active")
	if err != nil || len(running) > 0 || newest.After(due.Add(-clockSkew)) {
		return time.Time{}
	}
	return due
}
