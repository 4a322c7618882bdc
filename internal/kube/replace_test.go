// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

func web(namespace string) Ref {
	return Ref{APIVersion: "apps/v1", Kind: "Deployment", Namespace: namespace, Name: "web"}
}

// replaced proves that a field which cannot be changed is named, that nothing happens
// unless it is allowed, and that the object is made anew then.
func replaced(t *testing.T, c *Cluster) {
	mustApply(t, c, parse(t, "replaced", small))
	objs := parse(t, "replaced", strings.ReplaceAll(small, "app: web", "app: other"))
	_, err := c.Plan(t.Context(), objs, Options{Replace: func(r Ref) bool { return r.Kind == "Job" }})
	if err == nil || err.Error() != "Deployment replaced/web: spec.selector cannot be changed while it exists (the field is immutable)" {
		t.Fatalf("error %v", err)
	}
	if h := hint.Of(err); !strings.Contains(h, "Deployment/web under `replace:`") {
		t.Errorf("hint %q", h)
	}
	before := mustGet(t, c, web("replaced"))
	collectGarbage(t, c, web("replaced"))
	p := mustApplyWith(t, c, objs, Options{Replace: always})
	want := `update Service replaced/web
  spec.selector.app: web -> other (clusterup)
replace Deployment replaced/web
  spec.selector.matchLabels.app: web -> other (clusterup)
  spec.template.metadata.labels.app: web -> other (clusterup)
`
	if got := lines(p); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	after := mustGet(t, c, web("replaced"))
	if before.GetUID() == after.GetUID() {
		t.Error("it is still the same object")
	}
	settled(t, c, objs, Options{Replace: always})
}

const fixed = `apiVersion: v1
kind: Namespace
metadata: {name: NS}
---
apiVersion: batch/v1
kind: Job
metadata: {name: migrate, namespace: NS}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: run, image: "example.com/run:1"}]}}}
---
apiVersion: v1
kind: Service
metadata: {name: headless, namespace: NS}
spec: {clusterIP: None, selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: NS}
spec:
  serviceName: headless
  selector: {matchLabels: {app: db}}
  template: {metadata: {labels: {app: db}}, spec: {containers: [{name: db, image: "example.com/db:1"}]}}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: constant, namespace: NS}
immutable: true
data: {a: "1"}
---
apiVersion: v1
kind: Secret
metadata: {name: constant, namespace: NS}
immutable: true
stringData: {a: s3cret-one}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reads, namespace: NS}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: default, namespace: NS}]
`

// replacedKinds proves it for the other kinds that have such fields, and that a secret
// value is in no plan and no error.
func replacedKinds(t *testing.T, c *Cluster) {
	objs := parse(t, "fixed", fixed)
	mustApply(t, c, objs)
	changed := parse(t, "fixed", strings.NewReplacer("run:1", "run:2", "clusterIP: None", "clusterIP: 10.96.77.7", "1Gi", "2Gi",
		`a: "1"`, `a: "2"`, "s3cret-one", "s3cret-two", "name: view", "name: edit").Replace(fixed))
	_, err := c.Plan(t.Context(), changed, Options{})
	if err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "Job fixed/migrate: spec.template cannot be changed") {
		t.Errorf("error %v", err)
	}
	collectGarbage(t, c, RefOf(objs[1]), RefOf(objs[3]))
	p := mustApplyWith(t, c, changed, Options{Replace: always})
	want := `replace Job fixed/migrate
  spec.template.spec.containers[name=run].image: example.com/run:1 -> example.com/run:2 (clusterup)
replace Service fixed/headless
  spec.clusterIP: None -> 10.96.77.7 (clusterup)
replace StatefulSet fixed/db
  spec.volumeClaimTemplates[0].spec.resources.requests.storage: 1Gi -> 2Gi (clusterup)
replace ConfigMap fixed/constant
  data.a: 1 -> 2 (clusterup)
replace Secret fixed/constant
  data.a: (secret) -> (secret changed) (clusterup)
replace RoleBinding fixed/reads
  roleRef.name: view -> edit (clusterup)
`
	if got := lines(p); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	settled(t, c, changed, Options{Replace: always})
	wrong := parse(t, "fixed", strings.NewReplacer("run:1", "run:2", "restartPolicy: Never", "restartPolicy: Sometimes").Replace(fixed))
	if _, err := c.Plan(t.Context(), wrong[1:2], Options{Replace: always}); err == nil || !strings.Contains(err.Error(), "Sometimes") {
		t.Errorf("what would not be accepted anew is to be replaced: %v", err)
	}
}

func replacedStale(t *testing.T, c *Cluster) {
	mustApply(t, c, parse(t, "restale", small))
	objs := parse(t, "restale", strings.ReplaceAll(small, "app: web", "app: other"))
	plan := func() *Plan {
		p, err := c.Plan(t.Context(), objs, Options{Replace: always})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	uid := mustGet(t, c, web("restale")).GetUID()
	p := plan()
	edit(t, c, web("restale"), "kubectl-edit", `{"spec":{"replicas":5}}`)
	if err := c.Apply(t.Context(), p); !errors.Is(err, converge.ErrStale) {
		t.Errorf("error %v for an object with another difference, want a stale plan", err)
	}
	if mustGet(t, c, web("restale")).GetUID() != uid {
		t.Fatal("a stale plan was carried out")
	}
	p = plan()
	writeStatus(t, c, web("restale"), `{"status":{"observedGeneration":1}}`) // this does not matter
	collectGarbage(t, c, web("restale"))
	if err := c.Apply(t.Context(), p); err != nil {
		t.Error(err)
	}
	settled(t, c, objs, Options{Replace: always})
}

// replacedInterrupted kills a run between the deletion and the apply.
func replacedInterrupted(t *testing.T, c *Cluster) {
	mustApply(t, c, parse(t, "killed", small))
	objs := parse(t, "killed", strings.ReplaceAll(small, "app: web", "app: other"))
	p, err := c.Plan(t.Context(), objs, Options{Replace: always})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := c.Apply(ctx, p); err == nil { // nobody collects garbage: it does not go
		t.Fatal("applied, although the old one is still there")
	}
	if mustGet(t, c, web("killed")).GetDeletionTimestamp() == nil {
		t.Fatal("it is not being deleted")
	}
	p, err = c.Plan(t.Context(), objs, Options{}) // no need to allow it again
	if err != nil {
		t.Fatal(err)
	}
	if got, want := lines(p), "create Deployment killed/web\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	collectGarbage(t, c, web("killed"))
	if err := c.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	settled(t, c, objs, Options{})
}

func neverMadeAnew(t *testing.T, c *Cluster) {
	text := "apiVersion: v1\nkind: Namespace\nmetadata: {name: NS}\n---\napiVersion: v1\nkind: PersistentVolumeClaim\n" +
		"metadata: {name: data, namespace: NS}\nspec: {storageClassName: one, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}"
	mustApply(t, c, parse(t, "kept", text))
	_, err := c.Plan(t.Context(), parse(t, "kept", strings.Replace(text, "one", "two", 1)), Options{Replace: always})
	if err == nil || !strings.Contains(hint.Of(err), "a PersistentVolumeClaim is never deleted to be made anew") {
		t.Errorf("error %v, hint %q", err, hint.Of(err))
	}
}

// ruledOut proves that what a rule of a custom kind refuses is an error, whatever it
// says: such a rule may mean that the object must not be lost.
func ruledOut(t *testing.T, c *Cluster) {
	properties := `{size: {type: integer, x-kubernetes-validations: [{rule: self == oldSelf, message: the size is immutable}]}}`
	mustApply(t, c, parse(t, "ruled", kind("ruled.clusterup.dev", properties, "{size: 3}")))
	_, err := c.Plan(t.Context(), parse(t, "ruled", kind("ruled.clusterup.dev", properties, "{size: 4}")), Options{Replace: always})
	if err == nil || !strings.Contains(err.Error(), "the size is immutable") || !strings.Contains(err.Error(), "Widget ruled/one") {
		t.Errorf("error %v", err)
	}
}

// conflicted proves that a conflict keeps back everything, also objects without one,
// and that the error names each manager and field and the way out.
func conflicted(t *testing.T, c *Cluster) {
	mustApply(t, c, parse(t, "conflicted", small))
	edit(t, c, web("conflicted"), "autoscaler", `{"spec":{"replicas":7}}`)
	edit(t, c, Ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: "conflicted", Name: "settings"}, "operator", `{"data":{"level":"debug"}}`)
	objs := parse(t, "conflicted", strings.Replace(small, `{one: "1"}`, `{one: "2"}`, 1))
	p, err := c.Plan(t.Context(), objs, Options{})
	want := `ConfigMap conflicted/settings: data.level is managed by "operator"; Deployment conflicted/web: spec.replicas is managed by "autoscaler"`
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
	if !strings.Contains(hint.Of(err), "`ignore:`") {
		t.Errorf("hint %q", hint.Of(err))
	}
	if err := c.Apply(t.Context(), p); err == nil || err.Error() != want {
		t.Errorf("the plan was carried out all the same: %v", err)
	}
	more, err := c.typed.CoreV1().ConfigMaps("conflicted").Get(t.Context(), "more", metav1.GetOptions{})
	if err != nil || more.Data["one"] != "1" {
		t.Errorf("something was written: %v, %v", more, err)
	}
	ignore := Options{Ignore: func(r Ref) []string {
		return map[string][]string{"settings": {"data.level"}, "web": {"spec.replicas"}}[r.Name]
	}}
	if got, want := lines(mustApplyWith(t, c, objs, ignore)), "update ConfigMap conflicted/more\n  data.one: 1 -> 2 (clusterup)\n"; got != want {
		t.Errorf("with the hint followed: got\n%s\nwant\n%s", got, want)
	}
	settled(t, c, objs, ignore)
}
