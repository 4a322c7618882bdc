// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// file is one entry of an image layer. Exactly one of from, data, link and
// dir says what it is.
type file struct {
	path string // absolute, in the image
	mode int64
	uid  int
	gid  int
	from string // a file of this machine
	id   string // stands for from's content in the hash
	data string
	link string
	dir  bool
}

// layer is a named list of files; images that name the same layer share it.
type layer struct {
	name  string
	files []file
}

// parts is what the layer's hash is made of.
func (l layer) parts() []string {
	parts := []string{l.name}
	for _, f := range l.files {
		parts = append(parts, f.path, fmt.Sprint(f.mode, f.uid, f.gid, f.dir), f.id, f.data, f.link)
	}
	return parts
}

// pack writes the layer to path and opens it as an image layer. Times are
// zero and parents are written before their children, so the same files make
// the same bytes.
func (l layer) pack(path string) (v1.Layer, error) {
	out, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	zip, err := gzip.NewWriterLevel(out, gzip.BestSpeed) // it is read once, on this machine
	if err != nil {
		return nil, err
	}
	w := tar.NewWriter(zip)
	seen := map[string]bool{"/": true}
	for _, f := range l.files {
		if err := writeFile(w, f, seen); err != nil {
			return nil, fmt.Errorf("pack %s of layer %s: %w", f.path, l.name, err)
		}
	}
	for _, c := range []io.Closer{w, zip, out} {
		if err := c.Close(); err != nil {
			return nil, fmt.Errorf("pack layer %s: %w", l.name, err)
		}
	}
	return tarball.LayerFromFile(path)
}

func writeFile(w *tar.Writer, f file, seen map[string]bool) error {
	if parent := path.Dir(f.path); !seen[parent] {
		if err := writeFile(w, file{path: parent, mode: 0o755, dir: true}, seen); err != nil {
			return err
		}
	}
	seen[f.path] = true
	h := &tar.Header{Name: strings.TrimPrefix(f.path, "/"), Mode: f.mode, Uid: f.uid, Gid: f.gid}
	switch {
	case f.dir:
		h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
		return w.WriteHeader(h)
	case f.link != "":
		h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, f.link, 0o777
		return w.WriteHeader(h)
	case f.from == "":
		h.Typeflag, h.Size = tar.TypeReg, int64(len(f.data))
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err := io.WriteString(w, f.data)
		return err
	}
	in, err := os.Open(f.from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	h.Typeflag, h.Size = tar.TypeReg, info.Size()
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.Copy(w, in)
	return err
}
