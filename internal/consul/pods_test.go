// SPDX-License-Identifier: Apache-2.0

package consul_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/consul"
)

// fakePods runs the servers of a world as a StatefulSet does: a pod that is deleted
// ends politely, and comes back with its data at another address.
type fakePods struct {
	t *testing.T
	w *world

	mu      sync.Mutex
	wanted  int // the revision
	pods    map[int]*fakePod
	deleted []string // names, in order
	broken  bool     // what comes back does not start
	wait    sync.WaitGroup
}

type fakePod struct {
	life, revision int
	deleting       bool
}

func podsOf(t *testing.T, w *world) *fakePods {
	t.Helper()
	f := &fakePods{t: t, w: w, pods: make(map[int]*fakePod)}
	for i := range servers {
		f.pods[i] = &fakePod{}
	}
	t.Cleanup(f.wait.Wait)
	return f
}

// change is a new template.
func (f *fakePods) change() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wanted++
	f.deleted = nil
}

func (f *fakePods) gone() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string{}, f.deleted...)
}

// Servers lists the pods; those are ready that know a leader.
func (f *fakePods) Servers(ctx context.Context) ([]consul.Pod, error) {
	var all []consul.Pod
	for i := range servers {
		address, err := f.w.clientOf(f.t, i, "").Status().LeaderWithQueryOptions((&api.QueryOptions{}).WithContext(ctx))
		f.mu.Lock()
		p := f.pods[i]
		one := consul.Pod{
			Name: f.w.pod(i), UID: fmt.Sprintf("%d-%d", i, p.life), Node: fmt.Sprintf("node-%d", i),
			Deleting: p.deleting, Current: p.revision == f.wanted, Ready: err == nil && address != "" && !p.deleting,
		}
		f.mu.Unlock()
		if !one.Ready {
			one.Reason = "container consul: it does not answer"
		}
		all = append(all, one)
	}
	return all, nil
}

// Delete ends a pod and brings it back.
func (f *fakePods) Delete(_ context.Context, p consul.Pod) error {
	for i := range servers {
		if f.w.pod(i) == p.Name {
			f.mu.Lock()
			now := f.pods[i]
			same := p.UID == fmt.Sprintf("%d-%d", i, now.life) && !now.deleting
			if same {
				now.deleting = true
				f.deleted = append(f.deleted, p.Name)
			}
			f.mu.Unlock()
			if same {
				f.wait.Go(func() { f.restart(i) })
			}
		}
	}
	return nil
}

func (f *fakePods) restart(i int) {
	ctx := context.WithoutCancel(f.t.Context())
	if !f.w.process(i).Gone() {
		if err := f.w.stop(ctx, i); err != nil {
			f.t.Errorf("%s: %v", f.w.pod(i), err)
		}
	}
	f.w.move(i)
	f.mu.Lock()
	broken := f.broken
	f.mu.Unlock()
	if !broken {
		f.w.start(f.t, i)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pods[i] = &fakePod{life: f.pods[i].life + 1, revision: f.wanted}
}
