// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"errors"
	"strings"
	"testing"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

func TestAgainstAPIServer(t *testing.T) {
	kubeconfig := testKubeconfig(t)
	connectTo := func(t *testing.T) *Cluster {
		c, err := Connect(Config{Kubeconfig: kubeconfig})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	for _, test := range []struct {
		name string
		run  func(t *testing.T, c *Cluster)
	}{
		{"created, then nothing to do", createdThenNothing},
		{"drift is named and put right", driftPutRight},
		{"a removed field goes", removedField},
		{"another manager is not overridden", foreignManager},
		{"a stale plan is refused", stalePlan},
		{"a plan survives a change that does not matter", unrelatedChange},
		{"secrets are masked", secretsMasked},
		{"a CRD and its objects in one set", customResources},
		{"namespaces first, workloads last", applyOrder},
		{"what cannot be is refused", refusals},
		{"an immutable field is named", immutableField},
		{"what others made is taken over", adopted},
		{"an interrupted apply can be repeated", cancelled},
		{"deletion", deleted},
		{"a version that was taken out", versionTakenOut},
		{"deletion names what is held", heldDeletion},
		{"a terminating namespace is waited for", terminating},
		{"not ready without a controller", notReady},
		{"causes end a wait", waitEnds},
		{"a wait ends when all is ready", waitSucceeds},
		{"a wait hears of changes", changeIsSeen},
		{"an edit of some fields", edited},
		{"who the cluster is", identity},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, connectTo(t)) })
	}
}

func createdThenNothing(t *testing.T, c *Cluster) {
	objs := parse(t, "created", small)
	p := mustApply(t, c, objs)
	if got := len(p.Changes()); got != len(objs) {
		t.Errorf("%d of %d objects were to be created", got, len(objs))
	}
	done := timed(t, "a plan with nothing to do")
	again := mustPlan(t, c, objs)
	done()
	if !again.Empty() {
		t.Errorf("after an apply there is still something to do:\n%s", lines(again))
	}
	before := versionOf(t, c, "created", "Deployment", "apps/v1", "web")
	if err := c.Apply(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	if after := versionOf(t, c, "created", "Deployment", "apps/v1", "web"); after != before {
		t.Error("an empty plan changed an object")
	}
}

func versionOf(t *testing.T, c *Cluster, namespace, kind, apiVersion, name string) string {
	t.Helper()
	u, err := c.Get(t.Context(), Ref{APIVersion: apiVersion, Kind: kind, Namespace: namespace, Name: name})
	if err != nil || u == nil {
		t.Fatalf("%v, %v", u, err)
	}
	return u.GetResourceVersion()
}

func driftPutRight(t *testing.T, c *Cluster) {
	objs := parse(t, "drift", small)
	mustApply(t, c, objs)
	web := Ref{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "drift", Name: "web"}
	edit(t, c, web, "kubectl-edit", `{"spec":{"replicas":5,"template":{"spec":{"containers":[{"name":"web","image":"evil:1","args":["serve","--never"],"ports":[{"containerPort":8080}]}]}}}}`)
	edit(t, c, Ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: "drift", Name: "settings"}, "kubectl-edit", `{"data":{"level":"debug","a.conf":null,"added":"by hand"}}`)
	p := mustPlan(t, c, objs)
	want := `update ConfigMap drift/settings
  data["a.conf"]:  -> x ()
  data.level: debug -> info (kubectl-edit)
update Deployment drift/web
  spec.replicas: 5 -> 2 (kubectl-edit)
  spec.template.spec.containers[name=web].args[1]: --never -> --now (kubectl-edit)
  spec.template.spec.containers[name=web].image: evil:1 -> example.com/web:1.0 (kubectl-edit)
  spec.template.spec.containers[name=web].resources.requests.cpu:  -> 1 ()
  spec.template.spec.containers[name=web].resources.requests.memory:  -> 64Mi ()
`
	if got := lines(p); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	mustApply(t, c, objs)
	if again := mustPlan(t, c, objs); !again.Empty() {
		t.Errorf("put right, but still\n%s", lines(again))
	}
	live, _ := c.Get(t.Context(), Ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: "drift", Name: "settings"})
	if data, _ := live.Object["data"].(map[string]any); data["added"] != "by hand" {
		t.Error("a field that is not ours was taken away")
	}
}

func removedField(t *testing.T, c *Cluster) {
	mustApply(t, c, parse(t, "removed", small))
	objs := parse(t, "removed", strings.Replace(small, `{level: info, "a.conf": "x"}`, `{level: info}`, 1))
	if got, want := lines(mustApply(t, c, objs)), "update ConfigMap removed/settings\n  data[\"a.conf\"]: x ->  (clusterup)\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if again := mustPlan(t, c, objs); !again.Empty() {
		t.Errorf("still\n%s", lines(again))
	}
}

func foreignManager(t *testing.T, c *Cluster) {
	objs := parse(t, "foreign", small)
	mustApply(t, c, objs)
	web := Ref{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "foreign", Name: "web"}
	edit(t, c, web, "autoscaler", `{"spec":{"replicas":7}}`)
	p, err := c.Plan(t.Context(), objs, Options{})
	var conflict *ConflictError
	if !errors.As(err, &conflict) {
		t.Fatalf("error %v, want a conflict", err)
	}
	if got, want := err.Error(), `Deployment foreign/web: spec.replicas is managed by "autoscaler"`; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
	if hint.Of(err) == "" {
		t.Error("the error has no hint")
	}
	if p == nil || !strings.Contains(lines(p), "spec.replicas: 7 -> 2 (autoscaler)") {
		t.Errorf("the plan does not show the difference:\n%s", lines(p))
	}
}

func stalePlan(t *testing.T, c *Cluster) {
	mustApply(t, c, parse(t, "stale", small))
	changed := parse(t, "stale", strings.Replace(small, "level: info", "level: warn", 1))
	p := mustPlan(t, c, changed)
	settings := Ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: "stale", Name: "settings"}
	edit(t, c, settings, "kubectl-edit", `{"data":{"level":"debug"}}`)
	if err := c.Apply(t.Context(), p); !errors.Is(err, converge.ErrStale) {
		t.Fatalf("error %v, want a stale plan", err)
	}
	live, _ := c.Get(t.Context(), settings)
	if data, _ := live.Object["data"].(map[string]any); data["level"] != "debug" {
		t.Error("a stale plan was carried out")
	}
	fresh := parse(t, "stale2", small)
	p = mustPlan(t, c, fresh)
	mustApply(t, c, parse(t, "stale2", strings.Replace(small, "level: info", "level: debug", 1)))
	edit(t, c, Ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: "stale2", Name: "settings"}, "someone", `{"data":{"level":"warn"}}`)
	if err := c.Apply(t.Context(), p); !errors.Is(err, converge.ErrStale) {
		t.Fatalf("error %v for what was to be created and is there, want a stale plan", err)
	}
}

func unrelatedChange(t *testing.T, c *Cluster) {
	mustApply(t, c, parse(t, "unrelated", small))
	changed := parse(t, "unrelated", strings.Replace(small, "replicas: 2", "replicas: 3", 1))
	p := mustPlan(t, c, changed)
	edit(t, c, Ref{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "unrelated", Name: "web"}, "controller", `{"metadata":{"annotations":{"seen":"yes"}}}`)
	if err := c.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if again := mustPlan(t, c, changed); !again.Empty() {
		t.Errorf("still\n%s", lines(again))
	}
	// The same plan again, as after an answer that got lost: nothing is left to do.
	if err := c.Apply(t.Context(), p); err != nil {
		t.Errorf("repeating an apply: %v", err)
	}
}

func secretsMasked(t *testing.T, c *Cluster) {
	mustApply(t, c, parse(t, "masked", small))
	p := mustPlan(t, c, parse(t, "masked", strings.Replace(small, "token: correct-horse, other: battery-staple", "token: changed-horse, new: added-secret", 1)))
	want := `update Secret masked/token
  data.new:  -> (secret) ()
  data.other: (secret) ->  (clusterup)
  data.token: (secret) -> (secret changed) (clusterup)
`
	if got := lines(p); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
