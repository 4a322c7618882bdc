// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"clusterup.dev/clusterup/internal/converge"
)

// versionTakenOut proves that an object is found, and deleted, under a version that its
// definition does not serve any more: by a connection that has seen the version served,
// and by a new one. With the kind itself it is gone.
func versionTakenOut(t *testing.T, c *Cluster) {
	const group = "taken.clusterup.dev"
	old := kind(group, "{size: {type: integer}}", "{size: 3}")
	schema := "    schema:\n      openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}\n"
	both := strings.Replace(old, "  - name: v1\n", "  - name: v2\n    served: true\n    storage: false\n"+schema+"  - name: v1\n", 1)
	objs := parse(t, "taken", both)
	mustApply(t, c, objs)
	first, second, definition := RefOf(objs[0]), RefOf(objs[1]), RefOf(objs[2])

	without := parse(t, "taken", strings.Replace(both, "served: true\n    storage: true", "served: false\n    storage: true", 1))
	mustApply(t, c, without[2:3])
	notServed(t, c, group+"/v1")
	anew, err := connect(c.rest, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(anew.Close)
	for _, c := range []*Cluster{c, anew} {
		live, err := c.Get(t.Context(), first)
		if err != nil || live == nil || live.GetAPIVersion() != group+"/v2" {
			t.Fatalf("%v, %v", live, err)
		}
	}
	atNew := func(r Ref) Ref { r.APIVersion = group + "/v2"; return r }
	collectGarbage(t, anew, atNew(first), atNew(second))
	for c, r := range map[*Cluster]Ref{c: first, anew: second} {
		if err := c.Delete(t.Context(), []Ref{r}, DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		if live, err := anew.Get(t.Context(), r); err != nil || live != nil {
			t.Errorf("deleted, but there: %v, %v", live, err)
		}
	}
	if err := c.Delete(t.Context(), []Ref{definition}, DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if live, err := c.Get(t.Context(), first); err != nil || live != nil {
		t.Errorf("of a kind that is gone: %v, %v", live, err)
	}
}

// notServed waits until the server has seen that a version was taken out.
func notServed(t *testing.T, c *Cluster, groupVersion string) {
	t.Helper()
	err := converge.Until(t.Context(), groupVersion+" not to be served", 20*time.Second, func(ctx context.Context) (bool, string, error) {
		err := c.typed.Discovery().RESTClient().Get().AbsPath("/apis/" + groupVersion).Do(ctx).Error()
		return apierrors.IsNotFound(err), "", nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
