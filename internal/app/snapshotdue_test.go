// SPDX-License-Identifier: Apache-2.0

package app

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// A schedule that called for a snapshot which nobody took is told from one that is
// served, and from one that is about to be.
func TestDueSince(t *testing.T) {
	due := time.Date(2026, 5, 4, 6, 17, 0, 0, time.UTC)
	job := func(status map[string]any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{"status": status}}
	}
	called := map[string]any{"lastScheduleTime": due.Format(time.RFC3339)}
	running := map[string]any{"lastScheduleTime": due.Format(time.RFC3339), "active": []any{map[string]any{"name": "consul-snapshot-1"}}}
	for name, c := range map[string]struct {
		job    *unstructured.Unstructured
		newest time.Time
		want   time.Time
	}{
		"no schedule":            {nil, time.Time{}, time.Time{}},
		"never called yet":       {job(map[string]any{}), time.Time{}, time.Time{}},
		"taken since":            {job(called), due.Add(5 * time.Second), time.Time{}},
		"taken by another clock": {job(called), due.Add(-20 * time.Second), time.Time{}},
		"being taken":            {job(running), due.Add(-6 * time.Hour), time.Time{}},
		"the last one failed":    {job(called), due.Add(-6 * time.Hour), due},
		"none was ever taken":    {job(called), time.Time{}, due},
	} {
		if got := dueSince(c.job, c.newest); !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
