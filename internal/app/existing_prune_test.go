// SPDX-License-Identifier: Apache-2.0

package app

import (
	"strings"
	"testing"

	"clusterup.dev/clusterup/internal/hint"
)

// notes are the notes and notices of a plan, a line each.
func (w *world) notes(t *testing.T) string {
	t.Helper()
	planned, err := w.look(t)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, p := range planned {
		for _, n := range p.Plan.Notices {
			b.WriteString("! " + n + "\n")
		}
		for _, c := range p.Plan.Changes {
			if c.Note != "" {
				b.WriteString(c.Subject + ": " + c.Note + "\n")
			}
		}
	}
	return b.String()
}

// refused is a run that is refused before anything is changed.
func (w *world) refused(t *testing.T, says ...string) {
	t.Helper()
	before := w.metas(t)
	w.level = "changed"
	w.writeEnvironment(t)
	err := w.run(t, w.hold(t))
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(hint.Of(err), "--allow-prune") {
		t.Fatalf("error %v, hint %q", err, hint.Of(err))
	}
	for _, want := range says {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
	for kind, meta := range w.metas(t) {
		if meta.ResourceVersion != before[kind].ResourceVersion {
			t.Errorf("the %s was written by a run that was refused", kind)
		}
	}
}

func allowPrune(o *Options) { o.AllowPrune = true }

// More than half of an add-on is deleted only when the run allows it, and diff shows
// that; a whole add-on that was taken out of the file, and what only a dead run
// brought, is no surprise.
func surprise(t *testing.T, w *world) {
	for _, name := range []string{"a", "b", "c", "d", "e"} { // with the namespace and three more, nine
		w.manifest(t, "demo", name, configMap(name))
	}
	w.mustRun(t)
	for _, name := range []string{"a", "b", "c", "d"} {
		w.removeManifest(t, "demo", name)
	}
	if notes := w.notes(t); strings.Contains(notes, "!") || !strings.Contains(notes, "/a: no longer in the release\n") {
		t.Errorf("four of nine are no surprise:\n%s", notes)
	}
	w.removeManifest(t, "demo", "e")
	if notes := w.notes(t); !strings.Contains(notes, "! 5 of the 9 objects of add-on demo would be deleted, which is more than half: needs --allow-prune\n") {
		t.Errorf("five of nine:\n%s", notes)
	}
	w.refused(t, "5 of the 9 objects of add-on demo")
	if !w.has(t, "a") {
		t.Error("a run that was refused deleted something")
	}
	w.mustRun(t, allowPrune)
	if w.has(t, "a") {
		t.Error("what was allowed is not deleted")
	}

	w.addon(t, "big", "")
	for _, name := range []string{"f", "g", "h", "i", "j"} {
		w.manifest(t, "big", name, configMap(name))
	}
	w.addons = []string{"demo", "big"}
	w.writeEnvironment(t)
	w.mustRun(t)
	w.addons = []string{"demo"}
	w.writeEnvironment(t)
	if notes := w.notes(t); strings.Contains(notes, "!") || !strings.Contains(notes, "/f: add-on big was removed\n") {
		t.Errorf("a whole add-on:\n%s", notes)
	}
	w.mustRun(t)
	if w.has(t, "f") {
		t.Error("the removed add-on is still there")
	}

	for _, name := range []string{"k", "l", "m", "o", "p"} {
		w.manifest(t, "demo", name, configMap(name))
	}
	dieAfterApply(t, w)
	if !w.has(t, "k") {
		t.Fatalf("the run did not die where it should:\n%s", strings.Join(w.heard[max(0, len(w.heard)-40):], "\n"))
	}
	for _, name := range []string{"k", "l", "m", "o", "p"} {
		w.removeManifest(t, "demo", name)
	}
	if notes := w.notes(t); strings.Contains(notes, "!") || !strings.Contains(notes, "/k: from an attempt that died\n") {
		t.Errorf("what a dead run brought:\n%s", notes)
	}
	w.mustRun(t)
	if w.has(t, "k") {
		t.Error("what a dead run brought is still there")
	}
}

// An add-on that never became ready has a budget too: that of what was attempted.
func surpriseBeforeTheFirst(t *testing.T, w *world) {
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		w.manifest(t, "demo", name, configMap(name))
	}
	dieAfterApply(t, w)
	for _, name := range []string{"a", "b", "c", "d"} {
		w.removeManifest(t, "demo", name)
	}
	if notes := w.notes(t); strings.Contains(notes, "!") {
		t.Errorf("four of nine are no surprise:\n%s", notes)
	}
	w.removeManifest(t, "demo", "e")
	if notes := w.notes(t); !strings.Contains(notes, "! 5 of the 9 objects of add-on demo would be deleted, which is more than half: needs --allow-prune\n") {
		t.Errorf("five of nine:\n%s", notes)
	}
	w.refused(t, "5 of the 9 objects of add-on demo")
	w.mustRun(t, allowPrune)
	if w.has(t, "a") {
		t.Error("what was allowed is not deleted")
	}
}

// A Secret with values from tokens and what the add-on protects are deleted only when
// the run allows it, by the rules of the release that had them.
func guarded(t *testing.T, w *world) {
	w.addon(t, "demo", "tokens: [{name: admin, kind: password, length: 32}]\nprotect: [ConfigMap/state]")
	w.manifest(t, "demo", "state", configMap("state"))
	w.manifest(t, "demo", "stated", configMap("stated"))
	w.manifest(t, "demo", "second", `{apiVersion: v1, kind: Secret, metadata: {name: second}, stringData: {url: 'http://me:{{ token "demo/admin" }}@web'}}`)
	w.manifest(t, "demo", "third", `{apiVersion: v1, kind: Secret, metadata: {name: third}, stringData: {user: me}}`)
	w.mustRun(t)
	w.addon(t, "demo", "tokens: [{name: admin, kind: password, length: 32}]") // protects nothing any more
	for _, name := range []string{"state", "stated", "second", "third"} {
		w.removeManifest(t, "demo", name)
	}
	notes := w.notes(t)
	for subject, guard := range map[string]bool{"ConfigMap demo-guarded/state": true, "Secret demo-guarded/second": true, "ConfigMap demo-guarded/stated": false, "Secret demo-guarded/third": false} {
		want := subject + ": no longer in the release"
		if guard {
			want += "; protected: needs --allow-prune"
		}
		if !strings.Contains(notes, want+"\n") {
			t.Errorf("the plan lacks %q:\n%s", want, notes)
		}
	}
	w.refused(t, "not deleting ", "ConfigMap demo-guarded/state", "Secret demo-guarded/second")
	w.mustRun(t, allowPrune)
	if w.has(t, "state") || w.has(t, "stated") {
		t.Error("what was allowed is not deleted")
	}
}
