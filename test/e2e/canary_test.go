// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"clusterup.dev/clusterup/internal/kube"
)

// opened is one sealed object of the bucket, opened with the operator's own
// identity and with age alone.
type opened struct {
	key   string // path in the bucket
	plain []byte
}

// sealed opens every .age object that the store's data folder holds.
func (w *world) sealed(t *testing.T) []opened {
	t.Helper()
	file, err := os.Open(filepath.Join(w.home, ".config/clusterup/identity.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	identities, err := age.ParseIdentities(file)
	if err != nil {
		t.Fatal(err)
	}
	all := []opened{}
	for path, data := range w.bucket(t) {
		if filepath.Ext(path) != ".age" {
			continue
		}
		reader, err := age.Decrypt(bytes.NewReader(data), identities...)
		if err != nil {
			t.Fatalf("opening %s: %v", path, err)
		}
		plain, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, opened{key: path, plain: plain})
	}
	return all
}

// bucket reads every object from the disk of the local S3 server.
func (w *world) bucket(t *testing.T) map[string][]byte {
	t.Helper()
	objects := map[string][]byte{}
	err := filepath.WalkDir(filepath.Join(w.state, "s3"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || d.Name() == "credentials.json" {
			return err
		}
		data, err := os.ReadFile(path)
		objects[path] = data
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

type storedToken struct {
	Secret string `json:"secret"`
	Public string `json:"public"`
}

func (w *world) stored(t *testing.T, id string) storedToken {
	t.Helper()
	for _, o := range w.sealed(t) {
		if strings.Contains(o.key, "/tokens/"+id+"/") {
			var token storedToken
			if err := json.Unmarshal(o.plain, &token); err != nil {
				t.Fatal(err)
			}
			return token
		}
	}
	t.Fatalf("no token %s in the bucket", id)
	return storedToken{}
}

func (w *world) token(t *testing.T, id string) string  { return w.stored(t, id).Secret }
func (w *world) public(t *testing.T, id string) string { return w.stored(t, id).Public }

// secrets are all that must be nowhere: tokens, CA keys, key shares.
func (w *world) secrets(t *testing.T) map[string]string {
	t.Helper()
	found, shares := map[string]string{}, 0
	for _, o := range w.sealed(t) {
		switch {
		case strings.Contains(o.key, "/tokens/"):
			var token storedToken
			if err := json.Unmarshal(o.plain, &token); err != nil {
				t.Fatal(err)
			}
			found[o.key] = core(token.Secret)
		case strings.Contains(o.key, "/keys/"):
			shares++
			found[o.key] = core(string(o.plain))
		}
	}
	if shares != 3 {
		t.Errorf("%d sealed shares in the bucket, want 3", shares)
	}
	return found
}

// core is the part of a secret that no encoding of the whole can hide: of a PEM
// key a line in its middle.
func core(secret string) string {
	lines := strings.Split(strings.TrimSpace(secret), "\n")
	return strings.TrimSpace(lines[len(lines)/2])
}

// canary looks for every secret, as it is and in base64, wherever it could have
// leaked to.
func (w *world) canary(t *testing.T, _ *kube.Cluster) {
	places := map[string][]byte{"what clusterup printed": w.said.Bytes()}
	for path, data := range w.bucket(t) {
		places["the bucket: "+path] = data
	}
	for _, pattern := range []string{"logs/*", "terraform/*", "terraform/.terraform/*", "cluster/*", "nodes/*/*.json", "nodes/*/*.log"} {
		paths, _ := filepath.Glob(filepath.Join(w.state, pattern))
		for _, path := range paths {
			if data, err := os.ReadFile(path); err == nil {
				places["a file: "+path] = data
			}
		}
	}
	processes, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range processes {
		if data, err := os.ReadFile(path); err == nil {
			places["arguments: "+path] = data
		}
	}
	kinds := strings.Fields(w.kubectl("", "api-resources", "--verbs=list", "-o", "name"))
	for _, kind := range kinds {
		if kind != "secrets" {
			places["objects: "+kind] = []byte(w.kubectl("", "get", kind, "-A", "-o", "yaml"))
		}
	}
	for _, pod := range strings.Fields(w.kubectl("", "get", "pods", "-A", "-o", `jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name}{"\n"}{end}`)) {
		namespace, name, _ := strings.Cut(pod, "/")
		if namespace == "consul" || namespace == "vault" {
			places["log of "+pod] = []byte(w.kubectl("", "-n", namespace, "logs", name, "--all-containers"))
		}
	}
	for key, secret := range w.secrets(t) {
		for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret))} {
			for place, data := range places {
				if len(form) > 8 && bytes.Contains(data, []byte(form)) {
					t.Errorf("%s is in %s", filepath.Base(filepath.Dir(key)), place)
				}
			}
		}
	}
}
