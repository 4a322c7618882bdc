// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

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
