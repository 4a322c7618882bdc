// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"strings"
	"testing"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

// A value of which nothing of today tells whether its token is still the same is named,
// with its add-on and key, before anything is changed: of an add-on that the file lacks,
// and while a token is missing. Other values are not.
func doubtfulTokens(t *testing.T, w *world) {
	w.addon(t, "other", "tokens: [{name: key, kind: password, length: 20}]")
	w.manifest(t, "other", "sealed", `{apiVersion: v1, kind: Secret, metadata: {name: sealed}, stringData: {key: '{{ token "other/key" }}'}}`)
	w.addons = []string{"demo", "other"}
	w.writeEnvironment(t)
	w.mustRun(t)
	first := w.current(t)
	w.addons = []string{"demo"}
	w.writeEnvironment(t)
	w.mustRun(t, allowPrune)

	doubts := func() string {
		t.Helper()
		s := w.hold(t)
		defer s.Close()
		w.heard = nil
		if err := s.GoBack(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		said := strings.Join(w.heard, "\n")
		planned, err := s.Plan(t.Context(), stage)
		if err != nil {
			t.Fatal(err)
		}
		notices := strings.Join(planned[len(planned)-1].Plan.Notices, "\n")
		if !strings.Contains(said, notices) {
			t.Errorf("said\n%s\nand planned\n%s", said, notices)
		}
		return notices
	}
	ofOther, ofDemo := `add-on other: key "key" of Secret demo-doubt/sealed`, `add-on demo: key "password" of Secret demo-doubt/admin`
	if got := doubts(); !strings.HasPrefix(got, ofOther) || strings.Contains(got, ofDemo) {
		t.Errorf("of an add-on that the file lacks:\n%s", got)
	}
	if err := w.bucket.Delete(t.Context(), "tokens/demo/admin/000001.age"); err != nil {
		t.Fatal(err)
	}
	if got := doubts(); !strings.Contains(got, ofOther) || !strings.Contains(got, ofDemo) {
		t.Errorf("while a token is missing:\n%s", got)
	}
}

// A store that does not answer is no folder that does not render: going back ends.
func rollbackWithoutStore(t *testing.T, w *world) {
	w.mustRun(t)
	s := w.hold(t)
	defer s.Close()
	if _, err := s.library(t.Context()); err != nil {
		t.Fatal(err)
	}
	away := errors.New("the store is away")
	tokens := s.tokens
	s.tokens = memo(func(context.Context) (*secret.Set, error) { return nil, away })
	if err := s.GoBack(t.Context(), "current"); !errors.Is(err, away) {
		t.Errorf("error %v", err)
	}
	s.tokens = tokens
	if err := s.GoBack(t.Context(), "current"); err != nil {
		t.Error(err)
	}
}

// An add-on whose hooks wait for some of it comes back only where they run.
func rollbackWithoutHooks(t *testing.T, w *world) {
	w.addon(t, "hooked", "ready: {skip: [StatefulSet/store]}")
	w.manifest(t, "hooked", "plain", configMap("plain"))
	w.addons = []string{"demo", "hooked"}
	w.writeEnvironment(t)
	w.mustRun(t)
	first := w.current(t)
	w.addons = []string{"demo"}
	w.writeEnvironment(t)
	w.mustRun(t)
	_, err := w.goBack(t, first)
	if err == nil || !strings.Contains(err.Error(), "StatefulSet/store to hooks of add-on hooked") || !strings.Contains(hint.Of(err), "spec.addons") || w.has(t, "plain") {
		t.Errorf("error %v, hint %q", err, hint.Of(err))
	}
	w.addons = []string{"demo", "hooked"}
	w.writeEnvironment(t)
	w.mustGoBack(t, first)
	if !w.has(t, "plain") {
		t.Error("the add-on is not back")
	}
}
