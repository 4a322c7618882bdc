// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"clusterup.dev/clusterup/internal/converge"
)

func clusterUID(t *testing.T, client kubernetes.Interface) string {
	t.Helper()
	n, err := client.CoreV1().Namespaces().Get(t.Context(), metav1.NamespaceSystem, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return string(n.UID)
}

func namespaces(t *testing.T, client kubernetes.Interface) []string {
	t.Helper()
	list, err := client.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, n := range list.Items {
		names = append(names, n.Name)
	}
	return names
}

func (w *world) destroy(t *testing.T, purge bool) string {
	t.Helper()
	s := w.hold(t)
	defer s.Close()
	left, err := s.Destroy(s.Context(), purge, nil)
	if err != nil {
		t.Fatal(err)
	}
	return left
}

// below are the keys with a prefix.
func (w *world) below(t *testing.T, prefix string) []string {
	t.Helper()
	return slices.DeleteFunc(w.keys(t), func(key string) bool { return !strings.HasPrefix(key, prefix) })
}

// Destroy removes the objects and the binding and leaves the tokens and releases,
// so that the environment can come back with its secrets; purge leaves nothing.
// Both may be done again.
func destroy(t *testing.T, w *world) {
	w.mustRun(t)
	password, tokens, releases := w.password(t), w.below(t, "tokens/"), w.below(t, "releases/")
	for range 2 {
		if left := w.destroy(t, false); !strings.Contains(left, "--purge") {
			t.Errorf("destroy says %q", left)
		}
		if slices.Contains(namespaces(t, w.client), w.namespace()) {
			t.Fatal("the namespace is still there")
		}
		if slices.Contains(w.keys(t), bindingKey) {
			t.Error("the environment is still bound")
		}
		if !slices.Equal(tokens, w.below(t, "tokens/")) || !slices.Equal(releases, w.below(t, "releases/")) {
			t.Errorf("tokens or releases are gone: %v", w.keys(t))
		}
	}
	w.mustRun(t)
	if w.password(t) != password {
		t.Error("the environment came back with another password")
	}
	for range 2 {
		if left := w.destroy(t, true); left != "nothing is left" {
			t.Errorf("purge says %q", left)
		}
		if keys := w.keys(t); len(keys) > 0 {
			t.Errorf("purge left %v", keys)
		}
	}
}

// A run that died before it had made anything can be destroyed, and so can an
// environment whose file names an add-on that nothing was run for yet.
func destroyEarly(t *testing.T, w *world) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := w.open(t).Hold(ctx)
	if err != nil {
		t.Fatal(err)
	}
	planned, err := w.plan(ctx, s, binding)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Apply(ctx, planned, nil); err != nil {
		t.Fatal(err)
	}
	s.Close()
	w.destroy(t, false)

	w.mustRun(t)
	w.addon(t, "late", "tokens: [{name: key, kind: password, length: 20}]")
	w.manifest(t, "late", "late", configMap("late"))
	w.addons = append(w.addons, "late")
	w.writeEnvironment(t)
	w.destroy(t, false)
	if slices.Contains(namespaces(t, w.client), w.namespace()) {
		t.Error("the namespace is still there")
	}
}

// What an add-on left that was taken out of the file is removed too, whether a
// run pruned it or not.
func destroyDropped(t *testing.T, w *world) {
	w.mustRun(t)
	w.addons = nil
	w.writeEnvironment(t)
	err := w.run(t, w.hold(t), func(e converge.Event) {
		if e.Step == prune && e.Kind == converge.Done {
			t.Error("a namespace was pruned without leave")
		}
	})
	if err == nil {
		t.Error("a namespace was pruned without leave")
	}
	w.destroy(t, false)
	if slices.Contains(namespaces(t, w.client), w.namespace()) {
		t.Error("what a dropped add-on had is still there")
	}
}
