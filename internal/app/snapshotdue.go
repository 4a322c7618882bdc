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
// "" when all is well, and where nothing is scheduled. newest is asked after the schedule,
// so that a job which ends in between is not missed.
func (s *Session) missedSnapshot(ctx context.Context, namespace string, newest func() (time.Time, error)) (missed string, taken time.Time, err error) {
	var job *unstructured.Unstructured
	cluster, unreachable := s.reachable(ctx)
	if unreachable == nil { // else said by the cluster's own row
		job, unreachable = cluster.Get(ctx, kube.Ref{APIVersion: "batch/v1", Kind: "CronJob", Namespace: namespace, Name: snapshotCronJob})
		if unreachable != nil {
			missed = "the snapshot job: " + unreachable.Error()
		}
	}
	if taken, err = newest(); err != nil {
		return missed, taken, err
	}
	if due := dueSince(job, taken); !due.IsZero() {
		missed = fmt.Sprintf("the snapshot that was due %s ago is missing: see `kubectl -n %s get jobs`", Ago(time.Since(due)), namespace)
	}
	return missed, taken, nil
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
