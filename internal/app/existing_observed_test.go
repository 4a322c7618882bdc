// SPDX-License-Identifier: Apache-2.0

package app

import (
	"bytes"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"clusterup.dev/clusterup/internal/converge"
)

// What a run saw is kept in the bucket, without a secret, and is no more than a
// memory: damaged or gone it changes no plan, only a run that holds the lock
// writes it, and a destroy leaves none behind.
func observedKept(t *testing.T, w *world) {
	w.mustRun(t)
	kept := func() (key string, data []byte) {
		t.Helper()
		for _, k := range w.keys(t) {
			if strings.HasPrefix(k, observedPrefix) {
				key = k
			}
		}
		if key == "" {
			t.Fatal("nothing is kept")
		}
		data, _, err := w.bucket.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return key, data
	}
	key, first := kept()
	if !strings.HasSuffix(key, "/demo.json") || !bytes.Contains(first, []byte("settings")) {
		t.Errorf("%s holds %s", key, first)
	}
	if password := w.password(t); bytes.Contains(first, []byte(password)) {
		t.Error("what is kept holds the password")
	}

	touch := func(text string) {
		t.Helper()
		_, err := w.client.CoreV1().ConfigMaps(w.namespace()).Patch(t.Context(), "settings", types.MergePatchType, []byte(text), metav1.PatchOptions{FieldManager: "somebody"})
		if err != nil {
			t.Fatal(err)
		}
	}
	touch(`{"metadata":{"annotations":{"seen":"yes"}}}`)
	if planned, err := w.look(t); err != nil || lines(planned) != "" {
		t.Errorf("%v\n%s", err, lines(planned))
	}
	if _, looked := kept(); !bytes.Equal(looked, first) {
		t.Error("a look wrote what it saw")
	}
	unchanged := func(e converge.Event) {
		if e.Kind == converge.Done {
			t.Errorf("%s did something", e.Step)
		}
	}
	if err := w.run(t, w.hold(t), unchanged); err != nil {
		t.Fatal(err)
	}
	_, second := kept()
	if bytes.Equal(second, first) {
		t.Error("a run did not write what it saw")
	}

	for name, data := range map[string][]byte{"damaged": []byte("not what was written"), "an older one": first} {
		if err := w.bucket.Put(t.Context(), key, data); err != nil {
			t.Fatal(err)
		}
		if err := w.run(t, w.hold(t), unchanged); err != nil {
			t.Fatal(err)
		}
		if _, again := kept(); !bytes.Equal(again, second) {
			t.Errorf("%s: the run left %s", name, again)
		}
	}
	w.destroy(t, false)
	for _, k := range w.keys(t) {
		if strings.HasPrefix(k, observedPrefix) {
			t.Errorf("a destroy left %s", k)
		}
	}
}
