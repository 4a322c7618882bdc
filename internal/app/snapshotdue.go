// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/backup"
	"clusterup.dev/clusterup/internal/kube"
)

// snapshotCronJob is the add-on consul's, which takes snapshots on schedule.
const snapshotCronJob = "consul-snapshot"

// clockSkew is how far the clocks of two machines may be apart.
const clockSkew = time.Minute

// scheduledSnapshots says how old the newest snapshot is, and whether one is missing that
// the schedule called for; nothing is where nothing is scheduled. The schedule is read
// first, so that a job which ends in between is not missed.
func (s *Session) scheduledSnapshots(ctx context.Context, namespace string, shelf *backup.Shelf) (notes []string, missed bool) {
	job, unread := s.snapshotJob(ctx, namespace)
	taken, err := newestSnapshot(ctx, shelf)
	notes = []string{snapshotAge(taken, err)}
	switch due := dueSince(job, taken); {
	case unread != nil:
		return append(notes, "the snapshot job: "+unread.Error()), true
	case err == nil && !due.IsZero():
		return append(notes, fmt.Sprintf("the snapshot that was due %s ago is missing: see `kubectl -n %s get jobs`", Ago(time.Since(due)), namespace)), true
	}
	return notes, false
}

// snapshotJob is the job in the cluster; nil when there is none, or no cluster to ask, which
// has its own row.
func (s *Session) snapshotJob(ctx context.Context, namespace string) (*unstructured.Unstructured, error) {
	cluster, err := s.reachable(ctx)
	if err != nil {
		return nil, nil
	}
	return cluster.Get(ctx, kube.Ref{APIVersion: "batch/v1", Kind: "CronJob", Namespace: namespace, Name: snapshotCronJob})
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

// newestSnapshot is when the newest one was taken that no restore took, at the cost of one
// listing; zero if there is none.
func newestSnapshot(ctx context.Context, shelf *backup.Shelf) (time.Time, error) {
	all, err := shelf.List(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("snapshots: %w", err)
	}
	for _, e := range all {
		if e.Verified && e.Trigger != backup.Safety {
			return e.Taken, nil
		}
	}
	return time.Time{}, nil
}

// snapshotAge says how old that is.
func snapshotAge(taken time.Time, err error) string {
	switch {
	case err != nil:
		return err.Error()
	case taken.IsZero():
		return "no snapshot yet"
	}
	return fmt.Sprintf("last snapshot %s ago, verified", Ago(time.Since(taken)))
}
