// SPDX-License-Identifier: Apache-2.0

package app

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/converge"
)

// While a token of a new add-on is missing, the deletions of the same edit are shown and
// checked all the same, before anything is changed.
func shownWithoutTokens(t *testing.T, w *world) {
	w.addon(t, "old", "tokens: [{name: key, kind: password, length: 20}]")
	w.manifest(t, "old", "plain", configMap("plain"))
	w.manifest(t, "old", "sealed", `{apiVersion: v1, kind: Secret, metadata: {name: sealed}, stringData: {key: '{{ token "old/key" }}'}}`)
	w.addons = []string{"demo", "old"}
	w.writeEnvironment(t)
	w.mustRun(t)

	w.addon(t, "late", "tokens: [{name: key, kind: password, length: 20}]")
	w.manifest(t, "late", "late", configMap("late"))
	w.addons = []string{"demo", "late"}
	w.writeEnvironment(t)
	notes := w.notes(t)
	for _, want := range []string{"/plain: add-on old was removed\n", "/sealed: add-on old was removed; protected: needs --allow-prune\n"} {
		if !strings.Contains(notes, want) {
			t.Errorf("the plan lacks %q:\n%s", want, notes)
		}
	}
	w.refused(t, "Secret "+w.namespace()+"/sealed")
	if w.has(t, "late") || !w.has(t, "plain") {
		t.Error("a run that was refused changed something")
	}
	w.mustRun(t, allowPrune)
	if w.has(t, "plain") || !w.has(t, "late") {
		t.Error("what was allowed is not deleted")
	}
}

// What was not in the plan that was shown is not deleted, although it is found when the
// turn comes; the next run shows it.
func deletesOnlyWhatWasShown(t *testing.T, w *world) {
	w.manifest(t, "demo", "extra", configMap("extra"))
	w.mustRun(t)
	maps := w.client.CoreV1().ConfigMaps(w.namespace())
	if err := maps.Delete(t.Context(), "extra", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.removeManifest(t, "demo", "extra")
	s := w.hold(t)
	planned, err := w.plan(s.Context(), s, "")
	if err != nil {
		t.Fatal(err)
	}
	again := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "extra", Labels: map[string]string{addon.LabelEnvironment: w.name}}}
	if _, err := maps.Create(t.Context(), again, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err = s.Apply(s.Context(), planned, nil)
	s.Close()
	if !errors.Is(err, converge.ErrStale) || !strings.Contains(err.Error(), "ConfigMap "+w.namespace()+"/extra") {
		t.Errorf("error %v", err)
	}
	if !w.has(t, "extra") {
		t.Error("what nobody was shown is deleted")
	}
	if notes := w.notes(t); !strings.Contains(notes, "/extra: no longer in the release\n") {
		t.Errorf("the next plan:\n%s", notes)
	}
	w.mustRun(t)
	if w.has(t, "extra") {
		t.Error("what was shown is not deleted")
	}
}
