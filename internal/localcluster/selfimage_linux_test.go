// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// The archive holds what it says: a configuration named by its digest, and one
// layer of the digest in it, with the binary. It is the same each time.
func TestSelfImageIsAWholeArchive(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "clusterup")
	if err := os.WriteFile(binary, bytes.Repeat([]byte("program "), 1001), 0o755); err != nil {
		t.Fatal(err)
	}
	image, err := describeSelf(binary)
	if err != nil {
		t.Fatal(err)
	}
	var one, two bytes.Buffer
	if err := errors.Join(image.write(&one), image.write(&two)); err != nil || !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Fatalf("two archives of one binary differ, or %v", err)
	}
	files := untar(t, one.Bytes())
	var manifest []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	if err := json.Unmarshal(files["manifest.json"], &manifest); err != nil || len(manifest) != 1 || manifest[0].RepoTags[0] != SelfImage {
		t.Fatalf("manifest %s, %v", files["manifest.json"], err)
	}
	config := files[manifest[0].Config]
	if want := fmt.Sprintf("%x.json", sha256.Sum256(config)); manifest[0].Config != want {
		t.Errorf("the configuration is called %s, want %s", manifest[0].Config, want)
	}
	layer := files[manifest[0].Layers[0]]
	if want := fmt.Sprintf(`"sha256:%x"`, sha256.Sum256(layer)); !strings.Contains(string(config), want) {
		t.Errorf("the configuration does not name its layer %s", want)
	}
	if !strings.Contains(string(config), `"User":"65532:65532"`) {
		t.Errorf("it does not run as its user: %s", config)
	}
	if got := untar(t, layer)["clusterup"]; len(got) != 8008 {
		t.Errorf("the binary has %d bytes", len(got))
	}
}

func untar(t *testing.T, data []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

// The add-on runs the image that nodes have.
func TestAddonNamesTheSelfImage(t *testing.T) {
	data, err := os.ReadFile("../../addons/consul/addon.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var a struct{ Images map[string]string }
	if err := yaml.Unmarshal(data, &a); err != nil || a.Images["clusterup"] != SelfImage {
		t.Errorf("addons/consul names %q, and nodes have %s; %v", a.Images["clusterup"], SelfImage, err)
	}
}
