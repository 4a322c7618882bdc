// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"sync"
	"testing"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/converge/convergetest"
	"clusterup.dev/clusterup/internal/store"
)

// steady are the steps that write something of their own, with the steps that
// come before each of them.
func steady() map[string][]string {
	return map[string][]string{
		makeTokens:   nil,
		binding:      nil,
		stage:        {makeTokens},
		"demo/apply": {makeTokens, binding, stage},
		prune:        {makeTokens, binding, stage, "demo/apply"},
		promote:      {makeTokens, binding, stage, "demo/apply", prune},
	}
}

// each runs a test over a fresh world for every step, with what comes before it done.
func (w *world) each(t *testing.T, test func(t *testing.T, w *world, name string)) {
	for _, name := range sortedKeys(steady()) {
		t.Run(name, func(t *testing.T) {
			fresh := newWorld(t, w.servers, w.name+"-"+string(name[0])+name[len(name)-3:])
			if name == prune { // something to prune
				fresh.manifest(t, "demo", "extra", configMap("extra"))
				fresh.mustRun(t)
				fresh.removeManifest(t, "demo", "extra")
			}
			for _, before := range steady()[name] {
				fresh.only(t, before)
			}
			test(t, fresh, name)
		})
	}
}

// only carries out one step.
func (w *world) only(t *testing.T, name string) {
	t.Helper()
	s := w.hold(t)
	defer s.Close()
	planned, err := w.plan(s.Context(), s, name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Apply(s.Context(), planned, nil); err != nil {
		t.Fatal(err)
	}
}

// maker gives a step as each new run of the program would have it, in a session
// of its own.
type maker struct {
	*world
	step    string
	session *Session
}

func (m *maker) end() {
	if m.session != nil {
		m.session.Close()
		m.session = nil
	}
}

func (m *maker) next(t *testing.T) converge.Step {
	t.Helper()
	m.end()
	m.session = m.hold(t)
	for _, item := range m.session.steps() {
		if item.Step.Name() == m.step {
			return item.Step
		}
	}
	t.Fatalf("there is no step %s", m.step)
	return nil
}

// Every step keeps the contract of converge.Step on real servers, and after its
// Destroy a run makes the environment whole again.
func contract(t *testing.T, w *world) {
	w.each(t, func(t *testing.T, w *world, name string) {
		m := &maker{world: w, step: name}
		convergetest.Run(t, func() converge.Step { return m.next(t) })
		m.end()
		w.mustRun(t)
	})
}

// A run that is cut off in the middle of a step, after its first write, is
// completed by the next.
func interrupted(t *testing.T, w *world) {
	w.each(t, func(t *testing.T, w *world, name string) {
		m := &maker{world: w, step: name}
		var stop context.CancelFunc
		cut := false
		convergetest.Interrupted(t, func() converge.Step {
			step := m.next(t)
			if stop == nil || cut {
				return step
			}
			once := sync.OnceFunc(func() { cut = true; stop() })
			m.session.bucket = cutting{m.session.bucket, once}
			m.session.keeper.Bucket = tokenBucket{m.session.bucket}
			return cuttingStep{step, once}
		}, func(cancel context.CancelFunc) { stop = cancel })
		if !cut {
			t.Error("the step was not cut off")
		}
		m.end()
		w.mustRun(t)
	})
}

// cutting ends a run right after its first write to the bucket.
type cutting struct {
	store.Bucket
	stop func()
}

func (b cutting) PutNew(ctx context.Context, key string, data []byte) (store.Version, error) {
	defer b.stop()
	return b.Bucket.PutNew(ctx, key, data)
}

func (b cutting) PutIf(ctx context.Context, key string, data []byte, was store.Version) (store.Version, error) {
	defer b.stop()
	return b.Bucket.PutIf(ctx, key, data, was)
}

// cuttingStep ends a run at its first word of progress in the cluster.
type cuttingStep struct {
	converge.Step
	stop func()
}

func (s cuttingStep) Apply(ctx context.Context, p converge.Plan) error {
	return s.Step.Apply(converge.WithProgress(ctx, func(string) { s.stop() }), p)
}
