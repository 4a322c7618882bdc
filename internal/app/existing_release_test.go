// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"slices"
	"strings"
	"testing"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

// A changed value is a new release, which becomes current; an object that left the
// folder is pruned; the releases before stay in the bucket as they were.
func change(t *testing.T, w *world) {
	w.manifest(t, "demo", "extra", configMap("extra"))
	w.mustRun(t)
	first, before := w.current(t), w.keys(t)

	w.level = "debug"
	w.writeEnvironment(t)
	w.removeManifest(t, "demo", "extra")
	planned, err := w.look(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"release/prune: delete ConfigMap demo-change/extra\n", `data.level is "info", wanted "debug", by clusterup`} {
		if !strings.Contains(lines(planned), want) {
			t.Errorf("the plan lacks %q:\n%s", want, lines(planned))
		}
	}
	w.mustRun(t)
	if got := w.settings(t); got != "debug" {
		t.Errorf("level is %q", got)
	}
	if w.has(t, "extra") {
		t.Error("what left the folder is still in the cluster")
	}
	if second := w.current(t); second == first {
		t.Error("the pointer did not move")
	}
	after := w.keys(t)
	for _, key := range before {
		if !slices.Contains(after, key) {
			t.Errorf("%s is gone", key)
		}
	}
	if !slices.Contains(after, "releases/"+first+".json") || !slices.Contains(after, "releases/"+w.current(t)+".json") {
		t.Errorf("a release is missing in %v", after)
	}
}

// An object whose manifest moves to a newer version of its API is the same object:
// it is not pruned.
func newVersion(t *testing.T, w *world) {
	hpa := func(version string) string {
		return `{apiVersion: autoscaling/` + version + `, kind: HorizontalPodAutoscaler, metadata: {name: web},
  spec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}}`
	}
	w.manifest(t, "demo", "hpa", hpa("v1"))
	w.mustRun(t)
	w.manifest(t, "demo", "hpa", hpa("v2"))
	planned, err := w.look(t)
	if err != nil || strings.Contains(lines(planned), "delete") {
		t.Errorf("%v\n%s", err, lines(planned))
	}
	w.mustRun(t)
}

// A run that died after it had applied its release leaves objects that no current
// release knows. The same release is finished by the next run; one without
// them prunes them.
func died(t *testing.T, w *world) {
	w.mustRun(t)
	first := w.current(t)
	w.manifest(t, "demo", "extra", configMap("extra"))
	dieAfterApply(t, w)
	if !w.has(t, "extra") || w.current(t) != first {
		t.Fatal("the run did not die where it should")
	}
	w.mustRun(t)
	second := w.current(t)
	if second == first {
		t.Error("the next run did not finish the release")
	}

	w.manifest(t, "demo", "more", configMap("more"))
	dieAfterApply(t, w)
	w.removeManifest(t, "demo", "more")
	w.level = "debug"
	w.writeEnvironment(t)
	w.mustRun(t)
	if w.has(t, "more") || !w.has(t, "extra") {
		t.Error("what only the dead run applied is not pruned, or more than that is")
	}
}

// dieAfterApply runs until the add-on's objects are applied.
func dieAfterApply(t *testing.T, w *world) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := w.open(t).Hold(ctx)
	if err != nil {
		t.Fatal(err)
	}
	err = w.run(t, s, func(e converge.Event) {
		if e.Step == "demo/apply" && e.Kind == converge.Done {
			cancel()
		}
	})
	if err == nil {
		t.Fatal("the run was not cut off")
	}
}

// A namespace that left the release is deleted only when the run may do that.
func protectedStay(t *testing.T, w *world) {
	w.manifest(t, "demo", "second", `{apiVersion: v1, kind: Namespace, metadata: {name: second-protected}}`)
	w.mustRun(t)
	w.removeManifest(t, "demo", "second")
	err := w.run(t, w.hold(t))
	if err == nil || !strings.Contains(err.Error(), "not deleting Namespace second-protected") || !strings.Contains(hint.Of(err), "--allow-prune") {
		t.Errorf("error %v, hint %q", err, hint.Of(err))
	}
	w.mustRun(t, func(o *Options) { o.AllowPrune = true })
}
