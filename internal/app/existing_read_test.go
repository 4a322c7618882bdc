// SPDX-License-Identifier: Apache-2.0

package app

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// has reports whether a ConfigMap is in the cluster.
func (w *world) has(t *testing.T, name string) bool {
	t.Helper()
	_, err := w.client.CoreV1().ConfigMaps(w.namespace()).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	return err == nil
}

// settings reads the level that is in the cluster.
func (w *world) settings(t *testing.T) string {
	t.Helper()
	m, err := w.client.CoreV1().ConfigMaps(w.namespace()).Get(t.Context(), "settings", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return m.Data["level"]
}

// keys lists what the bucket holds.
func (w *world) keys(t *testing.T) []string {
	t.Helper()
	entries, err := w.bucket.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	keys := []string{}
	for _, e := range entries {
		keys = append(keys, e.Key)
	}
	return keys
}

// things are the keys without the journal's: who and when.
func (w *world) things(t *testing.T) []string {
	t.Helper()
	return slices.DeleteFunc(w.keys(t), func(key string) bool { return strings.HasPrefix(key, "runs/") })
}

// current is the digest that the pointer names.
func (w *world) current(t *testing.T) string {
	t.Helper()
	data, _, err := w.bucket.Get(t.Context(), "current.json")
	var pointer struct{ Release string }
	if err = errors.Join(err, json.Unmarshal(data, &pointer)); err != nil {
		t.Fatal(err)
	}
	return pointer.Release
}
