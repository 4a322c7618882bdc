// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"clusterup.dev/clusterup/internal/secret"
)

var observedKey = secret.NewString("an environment's own key, of 32 bytes")

// again is what the next run knows: what this one has stored.
func (o *Observed) again() *Observed { return ReadObserved(o.Bytes(), o.cluster, o.key) }

// applyObserved applies objs as a first run does and gives what it has seen.
func applyObserved(t *testing.T, c *Cluster, objs []*unstructured.Unstructured) *Observed {
	t.Helper()
	seen := ReadObserved(nil, "here", observedKey)
	p, err := c.Plan(t.Context(), objs, Options{Observed: seen})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return seen
}

// TestObservedMissesNothing proves, on a real API server, that a plan which remembers
// says the same as one that asks about everything, whatever happened meanwhile.
func TestObservedMissesNothing(t *testing.T) {
	c, err := Connect(Config{Kubeconfig: testKubeconfig(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for name, test := range happenings {
		t.Run(name, func(t *testing.T) {
			namespace := strings.ReplaceAll(name, " ", "-")
			seen := applyObserved(t, c, parse(t, namespace, small))
			if test.happens != nil {
				test.happens(t, c, namespace)
			}
			text := small
			if test.from != "" {
				text = strings.Replace(small, test.from, test.to, 1)
			}
			wanted := parse(t, namespace, text)
			slow, slowErr := c.Plan(t.Context(), wanted, Options{})
			seen = seen.again()
			quick, quickErr := c.Plan(t.Context(), wanted, Options{Observed: seen})
			if message(slowErr) != message(quickErr) || noted(slow) != noted(quick) {
				t.Errorf("with a memory: %v\n%s\nwithout: %v\n%s", quickErr, noted(quick), slowErr, noted(slow))
			}
			if test.want == "" != slow.Empty() || !strings.Contains(noted(slow)+message(slowErr), test.want) {
				t.Errorf("got %v\n%s\nwant %q", slowErr, noted(slow), test.want)
			}
			if third, err := c.Plan(t.Context(), wanted, Options{Observed: seen.again()}); message(err) != message(slowErr) || noted(third) != noted(slow) {
				t.Errorf("with what the second plan saw: %v\n%s", err, noted(third))
			}
		})
	}
}

// noted is lines with the notes.
func noted(p *Plan) string {
	text := lines(p)
	for _, change := range p.Changes() {
		text += change.Subject + ": " + change.Note + "\n"
	}
	return text
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// happenings are what others can do to objects, or to what is wanted of them.
var happenings = map[string]struct {
	happens  func(t *testing.T, c *Cluster, namespace string)
	from, to string // a change of the manifests
	want     string // in the plan
}{
	"nothing":                 {},
	"a value changed":         {happens: editing("ConfigMap", "v1", "settings", "kubectl-edit", `{"data":{"level":"debug"}}`), want: "data.level: debug -> info (kubectl-edit)"},
	"a secret changed":        {happens: editing("Secret", "v1", "token", "kubectl-edit", `{"data":{"token":"eA=="}}`), want: "data.token: (secret)"},
	"a value removed":         {happens: editing("ConfigMap", "v1", "settings", "kubectl-edit", `{"data":{"level":null}}`), want: "data.level:  -> info"},
	"a value added":           {happens: editing("ConfigMap", "v1", "settings", "somebody", `{"data":{"more":"x"},"metadata":{"annotations":{"a":"b"}}}`)},
	"a label changed":         {happens: editing("ConfigMap", "v1", "settings", "kubectl-edit", `{"metadata":{"labels":{"clusterup.dev/environment":"else"}}}`), want: "else -> test"},
	"a label removed":         {happens: editing("ConfigMap", "v1", "settings", "kubectl-edit", `{"metadata":{"labels":null}}`), want: "-> test"},
	"a label of others":       {happens: editing("Deployment", "apps/v1", "web", "somebody", `{"metadata":{"labels":{"team":"blue"}}}`)},
	"a list in another order": {happens: editing("Deployment", "apps/v1", "web", "kubectl-edit", `{"spec":{"template":{"spec":{"containers":[{"name":"first","image":"x:1"},{"name":"web","image":"example.com/web:1.0","args":["serve","--now"],"ports":[{"containerPort":8080}],"resources":{"requests":{"cpu":"1","memory":"64Mi"}}}]}}}}`)},
	"changed and changed back": {happens: func(t *testing.T, c *Cluster, namespace string) {
		editing("ConfigMap", "v1", "settings", "kubectl-edit", `{"data":{"level":"debug"}}`)(t, c, namespace)
		editing("ConfigMap", "v1", "settings", "kubectl-edit", `{"data":{"level":"info"}}`)(t, c, namespace)
	}, want: "claim its fields again"},
	"a status moved": {happens: func(t *testing.T, c *Cluster, namespace string) {
		statusMoves(t, c, namespace)
	}},
	"shared with another manager": {happens: taking("somebody", "info")},
	"taken by another manager":    {happens: taking("somebody", "debug"), want: `data.level is managed by "somebody"`},
	"deleted": {happens: func(t *testing.T, c *Cluster, namespace string) {
		remove(t, c, Ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: "settings"})
	}, want: "create ConfigMap"},
	"made anew by others": {happens: func(t *testing.T, c *Cluster, namespace string) {
		r := Ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: "settings"}
		remove(t, c, r)
		objects, err := c.prepare(t.Context(), parse(t, namespace, small)[1:2])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.client(objects[0].resource, namespace).Create(t.Context(), objects[0].body, metav1.CreateOptions{FieldManager: "somebody"}); err != nil {
			t.Fatal(err)
		}
	}, want: "take over its management"},
	"made anew by ourselves": {happens: func(t *testing.T, c *Cluster, namespace string) {
		remove(t, c, Ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: "settings"})
		mustApply(t, c, parse(t, namespace, small))
	}},
	"its namespace goes": {happens: func(t *testing.T, c *Cluster, namespace string) {
		remove(t, c, Ref{APIVersion: "v1", Kind: "Namespace", Name: namespace})
	}, want: "the old one is being deleted"},
	"another value wanted":  {from: "level: info", to: "level: warn", want: "data.level: info -> warn"},
	"a value not wanted":    {from: `level: info, "a.conf": "x"`, to: `level: info`, want: `data["a.conf"]: x ->`},
	"another object wanted": {from: "name: more", to: "name: other", want: "create ConfigMap"},
	"both changed": {
		happens: editing("ConfigMap", "v1", "settings", "kubectl-edit", `{"data":{"level":"debug"}}`),
		from:    "level: info", to: "level: warn", want: "data.level: debug -> warn (kubectl-edit)",
	},
}

// TestObservedLeftToOthers proves that an object of which a part is left to others is
// looked at whenever something was written to it: what they write may matter.
func TestObservedLeftToOthers(t *testing.T) {
	c, err := Connect(Config{Kubeconfig: testKubeconfig(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	objs := parse(t, "scaled", small)
	seen := applyObserved(t, c, objs)
	compare := func(empty bool) {
		t.Helper()
		slow := mustPlan(t, c, objs)
		seen = seen.again()
		quick, err := c.Plan(t.Context(), objs, Options{Observed: seen})
		if err != nil || noted(quick) != noted(slow) || quick.Empty() != empty {
			t.Errorf("with a memory: %v\n%s\nwithout:\n%s", err, noted(quick), noted(slow))
		}
	}
	scale := `{"spec":{"replicas":6}}`
	if _, err := c.typed.AppsV1().Deployments("scaled").Patch(t.Context(), "web", types.MergePatchType, []byte(scale),
		metav1.PatchOptions{FieldManager: "autoscaler"}, "scale"); err != nil {
		t.Fatal(err)
	}
	compare(true)
	edit(t, c, Ref{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "scaled", Name: "web"}, "kubectl-edit", `{"spec":{"replicas":9}}`)
	compare(false)
}

func editing(kind, apiVersion, name, manager, patch string) func(*testing.T, *Cluster, string) {
	return func(t *testing.T, c *Cluster, namespace string) {
		edit(t, c, Ref{APIVersion: apiVersion, Kind: kind, Namespace: namespace, Name: name}, manager, patch)
	}
}

// taking applies the level of the settings as manager, by force.
func taking(manager, level string) func(*testing.T, *Cluster, string) {
	return func(t *testing.T, c *Cluster, namespace string) {
		body := `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"settings"},"data":{"level":"` + level + `"}}`
		force := true
		if _, err := c.typed.CoreV1().ConfigMaps(namespace).Patch(t.Context(), "settings", types.ApplyPatchType, []byte(body),
			metav1.PatchOptions{FieldManager: manager, Force: &force}); err != nil {
			t.Fatal(err)
		}
	}
}

// statusMoves does what the controller of a Deployment does.
func statusMoves(t *testing.T, c *Cluster, namespace string) {
	t.Helper()
	web, err := c.typed.AppsV1().Deployments(namespace).Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	web.Status.Replicas, web.Status.ObservedGeneration = web.Status.Replicas+1, web.Generation
	web.Annotations = map[string]string{"deployment.kubernetes.io/revision": "1"}
	if _, err := c.typed.AppsV1().Deployments(namespace).UpdateStatus(t.Context(), web, metav1.UpdateOptions{FieldManager: "kube-controller-manager"}); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, c *Cluster, r Ref) {
	t.Helper()
	objects, err := c.prepare(t.Context(), []*unstructured.Unstructured{{Object: map[string]any{
		"apiVersion": r.APIVersion, "kind": r.Kind, "metadata": map[string]any{"name": r.Name, "namespace": r.Namespace},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.client(objects[0].resource, r.Namespace).Delete(t.Context(), r.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}
