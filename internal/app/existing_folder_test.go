// SPDX-License-Identifier: Apache-2.0

package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What `addon new` writes is applied by an API server as it is, the second plan
// has nothing to do. Nobody makes pods here, so the Deployment is not waited for.
func newFolder(t *testing.T, w *world) {
	if _, err := MakeAddon("shop", filepath.Join(w.dir, "addons"), false); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(w.dir, "addons", "shop", "addon.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.Replace(string(text), "ready: {timeout: 5m}", "ready: {skip: [Deployment/web]}", 1))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	environment := filepath.Join(w.dir, "environments", w.name+".yaml")
	before, err := os.ReadFile(environment)
	if err != nil {
		t.Fatal(err)
	}
	with := strings.Replace(string(before), "addons: [", "addons: [{name: shop}, ", 1)
	if err := os.WriteFile(environment, []byte(with), 0o600); err != nil {
		t.Fatal(err)
	}
	w.mustRun(t)
	found, err := w.client.AppsV1().Deployments("shop").Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if image := found.Spec.Template.Spec.Containers[0].Image; !strings.HasPrefix(image, "clusterup.dev/echo:") {
		t.Errorf("the image is %s", image)
	}
	secret, err := w.client.CoreV1().Secrets("shop").Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil || len(secret.Data["api-token"]) != 32 {
		t.Errorf("a token of %d bytes, %v", len(secret.Data["api-token"]), err)
	}
}
