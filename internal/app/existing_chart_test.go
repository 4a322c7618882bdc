// SPDX-License-Identifier: Apache-2.0

package app

import (
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// An add-on whose manifests are a Helm chart is created with a value of the
// environment and a token, changed by that value, and rid of an object that the
// value turned off; nothing is left to do after each.
func chart(t *testing.T, w *world) {
	w.addons = []string{"store"}
	w.writeEnvironment(t)
	w.addon(t, "store", "tokens: [{name: admin, kind: password, length: 20}]\nsource: {chart: upstream, values: values.yaml}")
	w.write(t, "addons/store/values.yaml", "level: {{ .Values.level }}\ndebug: {{ eq .Values.level \"info\" }}\npassword: {{ token \"store/admin\" }}\n")
	w.write(t, "addons/store/upstream/Chart.yaml", "apiVersion: v2\nname: settings\nversion: 1.0.0\n")
	w.write(t, "addons/store/upstream/values.yaml", "level: none\nother: same\n")
	w.write(t, "addons/store/upstream/templates/settings.yaml", `apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-settings}
data: {level: {{ .Values.level }}, other: {{ .Values.other }}}
---
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}-admin}
stringData: {password: {{ .Values.password | quote }}}
{{- if .Values.debug }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-debug}
{{- end }}
`)
	w.mustRun(t)
	maps, secrets := w.client.CoreV1().ConfigMaps(w.namespace()), w.client.CoreV1().Secrets(w.namespace())
	password, err := secrets.Get(t.Context(), "store-admin", metav1.GetOptions{})
	if err != nil || len(password.Data["password"]) != 20 {
		t.Fatalf("the password has %d characters, %v", len(password.Data["password"]), err)
	}
	if _, err := maps.Get(t.Context(), "store-debug", metav1.GetOptions{}); err != nil {
		t.Fatal(err)
	}

	w.level = "warn"
	w.writeEnvironment(t)
	planned, err := w.look(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"release/prune: delete ConfigMap " + w.namespace() + "/store-debug\n", `data.level is "info", wanted "warn"`} {
		if !strings.Contains(lines(planned), want) {
			t.Errorf("the plan lacks %q:\n%s", want, lines(planned))
		}
	}
	w.mustRun(t)
	settings, err := maps.Get(t.Context(), "store-settings", metav1.GetOptions{})
	if err != nil || settings.Data["level"] != "warn" || settings.Data["other"] != "same" {
		t.Errorf("the settings are %v, %v", settings.Data, err)
	}
	if _, err := maps.Get(t.Context(), "store-debug", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("what the value turned off is still there: %v", err)
	}
	for _, line := range w.heard {
		if strings.Contains(line, string(password.Data["password"])) {
			t.Errorf("the password was said: %s", line)
		}
	}
}
