// SPDX-License-Identifier: Apache-2.0

package app

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/store"
	"clusterup.dev/clusterup/internal/testservers"
)

// quick is how long anyone may wait to be told that a server cannot be used.
const quick = 15 * time.Second

// What cannot be reached or used is told once, in one line that names it, with a
// hint, quickly, and before anything is written.
func unreachable(t *testing.T, s servers) {
	closed := fmt.Sprintf("127.0.0.1:%d", testservers.Port(t))
	mute := muteServer(t)
	for _, test := range []struct {
		name  string
		wrong func(t *testing.T, w *world)
		says  string
		hints string
	}{
		{"endpoint", func(t *testing.T, w *world) { w.edit(t, w.s3.Endpoint, "http://"+closed) }, closed, "spec.store.endpoint"},
		{"mute endpoint", func(t *testing.T, w *world) { w.edit(t, w.s3.Endpoint, "http://"+mute) }, mute, "spec.store.endpoint"},
		{"no S3", func(t *testing.T, w *world) { w.edit(t, w.s3.Endpoint, server(t, w.kubeconfig)) }, "the store s3://test/", "AWS_CA_BUNDLE"},
		{"bucket", func(t *testing.T, w *world) { w.edit(t, "bucket: test", "bucket: absent") }, "s3://absent/", "spec.store.bucket"},
		{"key", func(t *testing.T, _ *world) { t.Setenv("AWS_ACCESS_KEY_ID", "AKWRONG") }, "does not accept the credentials", "AWS_ACCESS_KEY_ID"},
		{"secret", func(t *testing.T, _ *world) { t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong") }, "does not accept the credentials", "AWS_SECRET_ACCESS_KEY"},
		{"no credentials", func(t *testing.T, _ *world) { t.Setenv("AWS_ACCESS_KEY_ID", "") }, "no AWS credentials", "AWS_PROFILE"},
		{"identity", func(_ *testing.T, w *world) { w.identity = filepath.Join(w.dir, "absent.txt") }, "absent.txt", "--identity"},
		{"kubeconfig", func(t *testing.T, w *world) { w.edit(t, w.kubeconfig, "./absent.kubeconfig") }, "absent.kubeconfig", "spec.cluster.kubeconfig"},
		{"context", func(t *testing.T, w *world) { w.edit(t, "context: test", "context: prod") }, "prod", "context"},
		{"no kubeconfig", func(t *testing.T, w *world) { w.otherKubeconfig(t, "this: [is, no, kubeconfig]") }, "kubeconfig", "spec.cluster.kubeconfig"},
		{"server", func(t *testing.T, w *world) { w.otherServer(t, "https://"+closed) }, closed, "kubeconfig"},
		{"mute server", func(t *testing.T, w *world) { w.otherServer(t, "https://"+mute) }, mute, "kubeconfig"},
		{"no API server", func(t *testing.T, w *world) { w.otherServer(t, w.s3.Endpoint) }, s.s3.Endpoint, "kubeconfig"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, s, "refuse")
			bucket := w.bucket
			test.wrong(t, w)
			start := time.Now()
			err := w.try(t)
			took := time.Since(start)
			if err == nil || strings.Contains(err.Error(), "\n") || len(err.Error()) > 250 || !strings.Contains(err.Error(), test.says) {
				t.Errorf("the error does not say %q in one short line: %v", test.says, err)
			}
			if !strings.Contains(hint.Of(err), test.hints) {
				t.Errorf("the hint does not name %s: %q", test.hints, hint.Of(err))
			}
			if took > quick {
				t.Errorf("it took %s", took)
			}
			if entries, err := bucket.List(t.Context(), ""); err != nil || slices.ContainsFunc(entries, func(e store.Entry) bool { return e.Key != store.LockKey }) {
				t.Errorf("it wrote %v, %v", entries, err)
			}
		})
	}
}

// try is a run up to its plan.
func (w *world) try(t *testing.T) error {
	t.Helper()
	s, err := w.open(t).Hold(t.Context())
	if err != nil {
		return err
	}
	defer s.Close()
	_, err = s.Plan(s.Context(), "")
	return err
}

// muteServer accepts connections and never says a word.
func muteServer(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String() // the kernel accepts; nobody reads
}

// edit replaces a text in the environment's file.
func (w *world) edit(t *testing.T, old, text string) {
	t.Helper()
	path := "environments/" + w.name + ".yaml"
	data, err := os.ReadFile(filepath.Join(w.dir, path))
	if err != nil || !strings.Contains(string(data), old) {
		t.Fatalf("%v: %q is not in\n%s", err, old, data)
	}
	w.write(t, path, strings.ReplaceAll(string(data), old, text))
}

// otherKubeconfig gives the environment a kubeconfig of its own.
func (w *world) otherKubeconfig(t *testing.T, text string) {
	t.Helper()
	w.write(t, "environments/own.kubeconfig", text)
	w.edit(t, w.kubeconfig, "own.kubeconfig")
}

// otherServer lets the kubeconfig name another address.
func (w *world) otherServer(t *testing.T, url string) {
	t.Helper()
	data, err := os.ReadFile(w.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	w.otherKubeconfig(t, strings.ReplaceAll(string(data), server(t, w.kubeconfig), url))
}

// server is the address in a kubeconfig.
func server(t *testing.T, kubeconfig string) string {
	t.Helper()
	data, err := os.ReadFile(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), "server: ")
	url, _, _ := strings.Cut(rest, "\n")
	return url
}
