// SPDX-License-Identifier: Apache-2.0

package app

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"clusterup.dev/clusterup/internal/converge"
)

// password is the token, from the one place where it belongs.
func (w *world) password(t *testing.T) string {
	t.Helper()
	s, err := w.client.CoreV1().Secrets(w.namespace()).Get(t.Context(), "admin", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p := string(s.Data["password"])
	if len(p) != 32 {
		t.Fatalf("the password has %d characters", len(p))
	}
	return p
}

// The token's value reaches the Secret and nothing else: no object of the bucket,
// no ConfigMap, no plan, event or error, also when the Secret was edited, its
// type cannot be changed, or a manifest wants it elsewhere.
func secretStays(t *testing.T, w *world) {
	w.mustRun(t)
	password := w.password(t)
	edit := []byte(`{"stringData":{"password":"by-hand-0123456789"}}`)
	_, err := w.client.CoreV1().Secrets(w.namespace()).Patch(t.Context(), "admin", "application/merge-patch+json", edit, metav1.PatchOptions{FieldManager: "kubectl-edit"})
	if err != nil {
		t.Fatal(err)
	}
	planned, err := w.look(t)
	if err != nil || !strings.Contains(lines(planned), "update Secret demo-secret/admin") {
		t.Errorf("the edited Secret is not planned: %v\n%s", err, lines(planned))
	}
	w.mustRun(t)
	if w.password(t) != password {
		t.Error("the password was not put back")
	}

	w.manifest(t, "demo", "admin", `{apiVersion: v1, kind: Secret, type: kubernetes.io/basic-auth, metadata: {name: admin}, stringData: {password: '{{ token "demo/admin" }}'}}`)
	if err := w.run(t, w.hold(t)); err == nil {
		t.Error("the type of a Secret was changed")
	}
	w.manifest(t, "demo", "leak", `{apiVersion: v1, kind: ConfigMap, metadata: {name: leak}, data: {url: 'https://admin:{{ token "demo/admin" }}@web'}}`)
	if _, err := w.look(t); err == nil || !strings.Contains(err.Error(), "leak.yaml") {
		t.Errorf("a token in a ConfigMap: %v", err)
	}

	for _, form := range []string{password, base64.StdEncoding.EncodeToString([]byte(password)), "by-hand-0123456789"} {
		w.searchFor(t, []byte(form), filepath.Join(w.s3.Data, w.s3.Bucket, w.name))
	}
}

// searchFor finds a secret anywhere but in Secrets.
func (w *world) searchFor(t *testing.T, form []byte, data string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		content, err := os.ReadFile(path)
		if bytes.Contains(content, form) {
			t.Errorf("a secret is in %s", path)
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("searched %d objects of the bucket: %v", files, err)
	}
	maps, err := w.client.CoreV1().ConfigMaps("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(maps)
	if bytes.Contains(text, form) {
		t.Error("a secret is in a ConfigMap")
	}
	said := strings.Join(w.heard, "\n")
	if !strings.Contains(said, string(converge.Done)) || strings.Contains(said, string(form)) {
		t.Error("a secret is in what was said, or nothing was said")
	}
}
