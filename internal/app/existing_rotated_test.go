// SPDX-License-Identifier: Apache-2.0

package app

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"clusterup.dev/clusterup/internal/secret"
)

// A CA that was rotated since stays the one of today on the way back to a release of
// before; one that was retired since is not trusted again.
func rotatedStays(t *testing.T, w *world) {
	w.addon(t, "demo", "tokens: [{name: admin, kind: password, length: 32}, {name: ca, kind: ca, commonName: Demo}]")
	w.manifest(t, "demo", "trust", `{apiVersion: v1, kind: ConfigMap, metadata: {name: trust}, data: {ca.crt: {{ public "demo/ca" | quote }}, level: "{{ .Values.level }}"}}`)
	trusted := func(what string) {
		t.Helper()
		trust, err := w.client.CoreV1().ConfigMaps(w.namespace()).Get(t.Context(), "trust", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		s := w.hold(t)
		defer s.Close()
		set, err := s.tokens(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		now, _ := set.Public("demo/ca")
		if value := trust.Data["ca.crt"]; value != now {
			t.Errorf("%s: %d certificates are trusted, not those of today", what, strings.Count(value, "BEGIN"))
		}
	}
	turn := func(do func(*Session, secret.Spec) error) string {
		t.Helper()
		s := w.hold(t)
		for _, spec := range s.specs {
			if spec.ID() == "demo/ca" {
				if err := do(s, spec); err != nil {
					t.Fatal(err)
				}
			}
		}
		s.Close()
		w.mustRun(t)
		return w.current(t)
	}
	w.mustRun(t)
	first := w.current(t)
	both := turn(func(s *Session, spec secret.Spec) error { return s.keeper.Renew(t.Context(), spec) })
	turn(func(s *Session, spec secret.Spec) error { return s.keeper.Retire(t.Context(), spec.ID()) })
	trusted("after the rotation")
	w.mustGoBack(t, first)
	trusted("back to before")
	w.mustRun(t)
	w.mustGoBack(t, both)
	trusted("back to both")
	w.mustRun(t)
}
