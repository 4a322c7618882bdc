// SPDX-License-Identifier: Apache-2.0

package app

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/kubernetes"

	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/store"
)

// world is one environment: its file, its add-on folder, and what is behind them.
type world struct {
	servers
	name     string
	dir      string // environments/ and addons/ are in it
	identity string
	public   string
	level    string // the one value that the environment sets
	addons   []string
	client   kubernetes.Interface
	bucket   *store.S3
	heard    []string // everything that clusterup said: plans, events, errors
}

// newWorld writes the environment and the add-on demo beside it.
func newWorld(t *testing.T, s servers, name string) *world {
	t.Helper()
	w := &world{servers: s, name: name, dir: t.TempDir(), level: "info", addons: []string{"demo"}, client: clientOf(t, s.kubeconfig)}
	w.identity = filepath.Join(w.dir, "identity.txt")
	made, err := secret.CreateIdentity(w.identity)
	if err != nil {
		t.Fatal(err)
	}
	w.public = made.Public()
	w.bucket, err = store.Open(t.Context(), store.Config{
		Bucket: s.s3.Bucket, Prefix: name, Region: s.s3.Region, Endpoint: s.s3.Endpoint, PathStyle: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.writeEnvironment(t)
	w.addon(t, "demo", "tokens: [{name: admin, kind: password, length: 32}]")
	w.manifest(t, "demo", "settings", configMap("settings"))
	w.manifest(t, "demo", "admin", `{apiVersion: v1, kind: Secret, metadata: {name: admin}, stringData: {password: '{{ token "demo/admin" }}'}}`)
	w.manifest(t, "demo", "robot", `{apiVersion: v1, kind: ServiceAccount, metadata: {name: robot}}`)
	return w
}

func configMap(name string) string {
	return fmt.Sprintf(`{apiVersion: v1, kind: ConfigMap, metadata: {name: %s}, data: {level: "{{ .Values.level }}", other: same}}`, name)
}

// writeEnvironment writes the file as the world's fields say.
func (w *world) writeEnvironment(t *testing.T) {
	t.Helper()
	addons := []string{}
	for _, name := range w.addons {
		addons = append(addons, fmt.Sprintf("{name: %s, values: {level: %s}}", name, w.level))
	}
	w.write(t, "environments/"+w.name+".yaml", fmt.Sprintf(`apiVersion: clusterup.dev/v1alpha1
kind: Environment
metadata: {name: %s}
spec:
  cluster: {kubeconfig: {path: %s, context: test}}
  store: {bucket: %s, region: %s, endpoint: %q, pathStyle: true}
  operators: [{name: me, age: %s}]
  addons: [%s]
`, w.name, w.kubeconfig, w.s3.Bucket, w.s3.Region, w.s3.Endpoint, w.public, strings.Join(addons, ", ")))
}

// namespace is that of the add-ons.
func (w *world) namespace() string { return "demo-" + w.name }

func (w *world) addon(t *testing.T, name, more string, namespace ...string) {
	t.Helper()
	namespace = append(namespace, w.namespace())
	w.write(t, "addons/"+name+"/addon.yaml", fmt.Sprintf(`apiVersion: clusterup.dev/v1alpha1
kind: Addon
name: %s
version: 1.0.0
description: For tests
namespace: %s
values: {level: none}
%s
`, name, namespace[0], more))
}

func (w *world) manifest(t *testing.T, addon, name, text string) {
	t.Helper()
	w.write(t, "addons/"+addon+"/manifests/"+name+".yaml", text)
}

func (w *world) removeManifest(t *testing.T, addon, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(w.dir, "addons", addon, "manifests", name+".yaml")); err != nil {
		t.Fatal(err)
	}
}

func (w *world) write(t *testing.T, path, text string) {
	t.Helper()
	path = filepath.Join(w.dir, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
