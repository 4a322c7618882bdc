// SPDX-License-Identifier: Apache-2.0

package app

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"clusterup.dev/clusterup/internal/converge"
)

// Collecting keeps the current release, the one before it and the newest, each whole;
// what goes is shown before; going back to what is kept works after it.
func collect(t *testing.T, w *world) {
	var digests []string
	for i := range 5 {
		w.level = fmt.Sprint("level", i)
		w.writeEnvironment(t)
		w.mustRun(t)
		digests = append(digests, w.current(t))
	}
	w.mustGoBack(t, digests[1])
	s := w.hold(t)
	g, err := s.Garbage(t.Context(), 1)
	if err != nil || len(g.Releases) != 3 || g.Kept != 2 || g.Objects != 3 || g.Attempts == 0 || g.Bytes == 0 {
		t.Fatalf("%+v, %v", g, err)
	}
	if err := s.Collect(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	s.Close()
	look, err := w.open(t).Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all, err := look.Releases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range all {
		got = append(got, fmt.Sprint(slices.Index(digests, r.Digest), r.Current, r.Previous, len(r.Damage)))
		if !strings.Contains(r.Who, "@") || r.First.IsZero() || r.Objects != 4 || r.Addons[0].Version != "1.0.0" {
			t.Errorf("%+v", r)
		}
	}
	if want := "[4 false true 0 1 true false 0]"; fmt.Sprint(got) != want {
		t.Errorf("left: %v, want %s", got, want)
	}
	if _, err := w.goBack(t, digests[0]); err == nil || !strings.Contains(err.Error(), "no release") {
		t.Errorf("going back to what was collected: %v", err)
	}
	w.mustGoBack(t, "previous")
	if w.current(t) != digests[4] {
		t.Error("previous is another one")
	}
	w.mustRun(t)
	if runs := w.history(t); len(runs) != 8 || runs[1].Operation != "test" || outcomes(runs) != strings.TrimSpace(strings.Repeat("done ", 8)) {
		t.Errorf("%d runs: %s", len(runs), outcomes(runs))
	}
}

// Releases are compared by object and field, also with what a create would stage; a
// Secret's values are not shown.
func compareReleases(t *testing.T, w *world) {
	w.manifest(t, "demo", "extra", configMap("extra"))
	w.mustRun(t)
	first, password := w.current(t), w.password(t)
	w.level = "debug"
	w.removeManifest(t, "demo", "extra")
	w.manifest(t, "demo", "more", configMap("more"))
	w.manifest(t, "demo", "admin", `{apiVersion: v1, kind: Secret, metadata: {name: admin}, stringData: {password: '{{ token "demo/admin" }}-more'}}`)
	w.addon(t, "other", "")
	w.manifest(t, "other", "others", configMap("others"))
	w.addons = []string{"demo", "other"}
	w.writeEnvironment(t)
	want := []string{
		"demo update ConfigMap demo-compare/settings data.level info → debug", "demo create ConfigMap demo-compare/more",
		"demo delete ConfigMap demo-compare/extra", "demo update Secret demo-compare/admin data.password (secret) → (secret changed)",
		"other create ConfigMap demo-compare/others",
	}
	slices.Sort(want)
	compared := func(from, to string) string {
		s, err := w.open(t).Look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		c, err := s.Compare(t.Context(), from, to)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := json.Marshal(c); err != nil || strings.Contains(string(text), password) {
			t.Error("a token is in the comparison", err)
		}
		var got []string
		for _, a := range c.Addons {
			for _, change := range a.Changes {
				line := a.Name + " " + string(change.Action) + " " + change.Subject
				if change.Action == converge.Update {
					for _, f := range change.Fields {
						line += " " + f.Path + " " + f.Old + " → " + f.New
					}
				}
				got = append(got, line)
			}
		}
		slices.Sort(got)
		return strings.Join(got, "\n")
	}
	if got := compared("", ""); got != strings.Join(want, "\n") {
		t.Errorf("current with what is next:\n%s", got)
	}
	w.mustRun(t)
	if got := compared(first, "current"); got != strings.Join(want, "\n") {
		t.Errorf("two releases:\n%s", got)
	}
	if got := compared("", ""); got != "" {
		t.Errorf("after a run:\n%s", got)
	}
}
