// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func TestArchiveHoldsTheNames(t *testing.T) {
	f := newFake(t)
	set, _ := f.run(t)
	path := filepath.Join(set, "images.tar")
	m, err := tarball.LoadManifest(func() (io.ReadCloser, error) { return os.Open(path) })
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, i := range m {
		names = append(names, i.RepoTags...)
	}
	slices.Sort(names)
	if want := []string{"registry.example.test/one:v1", "registry.example.test/uno:v1"}; !slices.Equal(names, want) {
		t.Errorf("the archive holds %v", names)
	}
	tag, err := name.NewTag("registry.example.test/one:v1")
	if err != nil {
		t.Fatal(err)
	}
	img, err := tarball.ImageFromPath(path, &tag)
	if err != nil {
		t.Fatal(err)
	}
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if c.OS == "" || c.Architecture == "" || len(c.RootFS.DiffIDs) != 2 || !strings.HasPrefix(c.Config.Env[0], "PATH=") {
		t.Errorf("config is %+v", c)
	}
}
