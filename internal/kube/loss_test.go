// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"errors"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

// TestNothingIsLost is about what must not get lost, or into other hands, while objects
// are changed.
func TestNothingIsLost(t *testing.T) {
	kubeconfig := testKubeconfig(t)
	for _, test := range []struct {
		name string
		run  func(t *testing.T, c *Cluster)
	}{
		{"an item that is new comes whole", newItem},
		{"volumes do not go with a replacement", keptVolumes},
		{"what another environment made meanwhile is left alone", madeMeanwhile},
		{"an answer that got lost is no stranger's work", lostAnswer},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := Connect(Config{Kubeconfig: kubeconfig})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			test.run(t, c)
		})
	}
}

// newItem proves that an item of a list which only comes with a later manifest is made
// with the fields that a rule ignores, also where the whole list is new, and that
// these are others' business from then on; an item that is ignored itself does not come back.
func newItem(t *testing.T, c *Cluster) {
	const containers = "spec.template.spec.containers"
	o := ignoreOf(containers+"[name=sidecar].image", "spec.template.spec.initContainers[name=first].image", containers+"[name=gone]")
	mustApplyWith(t, c, parse(t, "items", small), o)
	text := small + "      - {name: sidecar, image: \"example.com/sidecar:1\"}\n      initContainers:\n      - {name: first, image: \"example.com/first:1\"}\n"
	objs := parse(t, "items", text)
	mustApplyWith(t, c, objs, o)
	image := func(list string) any {
		items, _, _ := unstructured.NestedSlice(mustGet(t, c, web("items")).Object, "spec", "template", "spec", list)
		return items[len(items)-1].(map[string]any)["image"]
	}
	if got, first := image("containers"), image("initContainers"); got != "example.com/sidecar:1" || first != "example.com/first:1" {
		t.Errorf("images %v, %v", got, first)
	}
	settled(t, c, objs, o)
	settled(t, c, parse(t, "items", strings.ReplaceAll(text, "sidecar:1", "sidecar:2")), o)
	settled(t, c, parse(t, "items", text+"      - {name: gone, image: \"example.com/gone:1\"}\n")[:5], o)
}

// keptVolumes proves that a StatefulSet whose volumes would be deleted with it is not made
// anew, and that the way that the hint shows works.
func keptVolumes(t *testing.T, c *Cluster) {
	text := strings.Replace(fixed, "  serviceName: headless\n", "  serviceName: headless\n  persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete, whenScaled: Retain}\n", 1)
	larger := strings.NewReplacer("1Gi", "2Gi")
	mustApply(t, c, parse(t, "volumes", text))
	_, err := c.Plan(t.Context(), parse(t, "volumes", larger.Replace(text)), Options{Replace: always})
	if err == nil || !strings.Contains(err.Error(), "StatefulSet volumes/db: spec cannot be changed while it exists (the field is immutable), and its volumes are deleted with it") {
		t.Errorf("error %v", err)
	}
	if !strings.Contains(hint.Of(err), "whenDeleted: Retain") {
		t.Errorf("hint %q", hint.Of(err))
	}
	text = strings.Replace(text, "whenDeleted: Delete", "whenDeleted: Retain", 1)
	_, err = c.Plan(t.Context(), parse(t, "volumes", larger.Replace(text)), Options{Replace: always}) // both at once
	if err == nil {
		t.Error("replaced, although its volumes still go with it")
	}
	mustApplyWith(t, c, parse(t, "volumes", text), Options{Replace: always})
	p, err := c.Plan(t.Context(), parse(t, "volumes", larger.Replace(text)), Options{Replace: always})
	if err != nil || !strings.HasPrefix(lines(p), "replace StatefulSet volumes/db\n") {
		t.Errorf("%v, %v", p, err)
	}
}

func ours(environment string) func(*unstructured.Unstructured) error {
	return func(live *unstructured.Unstructured) error {
		if owner := live.GetLabels()["clusterup.dev/environment"]; owner != "" && owner != environment {
			return hint.With(errors.New(RefOf(live).String()+" belongs to the environment "+owner), "look")
		}
		return nil
	}
}

// madeMeanwhile proves that an object which another environment makes, or takes over,
// between a plan and its apply is not merged into, although the field manager is the same;
// that values of somebody else stay; and that what a controller makes, in a new
// namespace say, is no obstacle.
func madeMeanwhile(t *testing.T, c *Cluster) {
	objs := append(parse(t, "meanwhile", small), parse(t, "meanwhile", kind("meanwhile.clusterup.dev", "{size: {type: integer}}", "{size: 3}"))[:3]...)
	theirs := append(parse(t, "meanwhile", small), parse(t, "meanwhile", kind("meanwhile.clusterup.dev", "{size: {type: integer}}", "{size: 7}"))[:3]...)
	for _, u := range theirs {
		u.SetLabels(map[string]string{"clusterup.dev/environment": "other"})
	}
	mustApply(t, c, []*unstructured.Unstructured{objs[0], objs[8]})
	o := Options{Refuse: ours("test")}
	for _, i := range []int{1, 3, 4, 5, 6} {
		mine := []*unstructured.Unstructured{objs[i]}
		p, err := c.Plan(t.Context(), mine, o)
		if err != nil {
			t.Fatal(err)
		}
		mustApply(t, c, []*unstructured.Unstructured{theirs[i]})
		before := mustGet(t, c, RefOf(objs[i]))
		err = c.Apply(t.Context(), p)
		if want := RefOf(objs[i]).String() + " belongs to the environment other"; err == nil || err.Error() != want || hint.Of(err) != "look" {
			t.Errorf("error %v, want %q", err, want)
		}
		if after := mustGet(t, c, RefOf(objs[i])); after.GetResourceVersion() != before.GetResourceVersion() {
			t.Errorf("%s was written to", RefOf(objs[i]))
		}
	}
	made := func(u *unstructured.Unstructured) {
		t.Helper()
		if _, err := c.client(mustResource(t, c, RefOf(u)), "meanwhile").Create(t.Context(), u, metav1.CreateOptions{FieldManager: "somebody"}); err != nil {
			t.Fatal(err)
		}
	}
	plan := func(text string) *Plan {
		t.Helper()
		p, err := c.Plan(t.Context(), parse(t, "meanwhile", text), o)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	const other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: third, namespace: NS, labels: {clusterup.dev/environment: test}}\ndata: {one: '1'}"
	p := plan(other)
	made(parse(t, "meanwhile", strings.NewReplacer("'1'", "'2'", "test", "").Replace(other))[0])
	if err := c.Apply(t.Context(), p); !errors.Is(err, converge.ErrStale) {
		t.Errorf("error %v, want a stale plan", err)
	}
	const account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: default, namespace: NS, labels: {clusterup.dev/environment: test}}\nautomountServiceAccountToken: false"
	p = plan(account)
	made(parse(t, "meanwhile", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: default, namespace: NS}")[0])
	if err := c.Apply(t.Context(), p); err != nil {
		t.Error(err)
	}
	settled(t, c, parse(t, "meanwhile", account), o)
	p = plan(strings.Replace(account, "false", "true", 1))
	mustApply(t, c, parse(t, "meanwhile", strings.Replace(account, "environment: test", "environment: other", 1)))
	if err := c.Apply(t.Context(), p); err == nil || err.Error() != "ServiceAccount meanwhile/default belongs to the environment other" {
		t.Errorf("error %v", err)
	}
}

// lostAnswer proves that a run which makes an object, and does not hear of it, takes it
// for its own when it tries again.
func lostAnswer(t *testing.T, c *Cluster) {
	objs := parse(t, "lost", small)
	p, err := c.Plan(t.Context(), objs, Options{Refuse: ours("test")})
	if err != nil {
		t.Fatal(err)
	}
	mustApply(t, c, objs[:3]) // what the server has made of it
	if err := c.Apply(t.Context(), p); err != nil {
		t.Error(err)
	}
	settled(t, c, objs, Options{})
}
