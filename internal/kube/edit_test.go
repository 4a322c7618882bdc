// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"errors"
	"testing"

	"clusterup.dev/clusterup/internal/converge"
)

// edited proves that an edit changes the fields that it names and nothing else, is
// found again under our name, and is refused on what has moved or gone.
func edited(t *testing.T, c *Cluster) {
	objs := parse(t, "edited", small)
	mustApply(t, c, objs)
	r := RefOf(objs[1]) // ConfigMap settings
	edit(t, c, r, "somebody", `{"data":{"theirs":"kept"}}`)
	before, err := c.Get(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	version := before.GetResourceVersion()
	if err := c.Edit(t.Context(), r, version, map[string]any{"data": map[string]any{"a.conf": "y"}}); err != nil {
		t.Fatal(err)
	}
	after, err := c.Get(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	data, _ := after.Object["data"].(map[string]any)
	if data["a.conf"] != "y" || data["theirs"] != "kept" || data["level"] != "info" {
		t.Errorf("after the edit: %v", data)
	}
	ours := false
	for _, e := range after.GetManagedFields() {
		ours = ours || e.Manager == Manager && e.Operation == "Update" && e.Time != nil
	}
	if !ours {
		t.Errorf("nobody is said to have made it: %+v", after.GetManagedFields())
	}
	if err := c.Edit(t.Context(), r, version, map[string]any{"data": map[string]any{"a.conf": "z"}}); !errors.Is(err, converge.ErrStale) {
		t.Errorf("on an old version: %v", err)
	}
	r.Name = "gone"
	if err := c.Edit(t.Context(), r, "", map[string]any{"data": nil}); !errors.Is(err, converge.ErrStale) {
		t.Errorf("of what is not there: %v", err)
	}
}
