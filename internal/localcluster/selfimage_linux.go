// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"time"
)

// SelfImage is the image of clusterup itself, which jobs in pods run. Nodes have
// the one of the binary that booted them last.
const SelfImage = "clusterup.dev/clusterup:0.1.0"

// selfUser is whom the image runs as.
const selfUser = "65532:65532"

// roots is where this machine keeps the authorities that it trusts; an image has
// them for an S3 store elsewhere.
const roots = "/etc/ssl/certs/ca-certificates.crt"

// selfImage is an image of one layer: a binary, and the authorities to trust. It
// is written straight from the binary and is the same for the same files.
type selfImage struct {
	files []imageFile
	layer string // its SHA-256
}

type imageFile struct {
	name, path string
	mode       int64
	size       int64
}

// describeSelf reads the binary once, for the digest of the layer.
func describeSelf(binary string) (selfImage, error) {
	s := selfImage{files: []imageFile{{name: "clusterup", path: binary, mode: 0o755}, {name: strings.TrimPrefix(roots, "/"), path: roots, mode: 0o644}}}
	kept := s.files[:0]
	for _, f := range s.files {
		info, err := os.Stat(f.path)
		if errors.Is(err, fs.ErrNotExist) && f.path == roots {
			continue
		}
		if err != nil {
			return s, err
		}
		f.size = info.Size()
		kept = append(kept, f)
	}
	s.files = kept
	sum := sha256.New()
	if err := s.writeLayer(sum); err != nil {
		return s, fmt.Errorf("read %s for its image: %w", binary, err)
	}
	s.layer = hex.EncodeToString(sum.Sum(nil))
	return s, nil
}

func (s selfImage) writeLayer(w io.Writer) error {
	out := tar.NewWriter(w)
	for _, f := range s.files {
		if err := writeFileTo(out, f); err != nil {
			return err
		}
	}
	return out.Close()
}

func writeFileTo(out *tar.Writer, f imageFile) error {
	in, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // it was only read
	if err := out.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: f.size, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}); err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return err
}

// write writes an archive as `docker save` does, which every engine and registry
// tool reads.
func (s selfImage) write(w io.Writer) error {
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"User": selfUser, "Entrypoint": []string{"/clusterup"}, "WorkingDir": "/"},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + s.layer}},
	})
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%x.json", sha256.Sum256(config))
	manifest, err := json.Marshal([]map[string]any{{"Config": name, "RepoTags": []string{SelfImage}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return err
	}
	out := tar.NewWriter(w)
	for _, f := range []struct {
		name string
		data []byte
	}{{"manifest.json", manifest}, {name, config}} {
		if err := out.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.data))}); err != nil {
			return err
		}
		if _, err := out.Write(f.data); err != nil {
			return err
		}
	}
	if err := out.WriteHeader(&tar.Header{Name: "layer.tar", Mode: 0o644, Size: s.layerSize()}); err != nil {
		return err
	}
	if err := s.writeLayer(out); err != nil {
		return err
	}
	return out.Close()
}

// layerSize is how many bytes writeLayer writes: a tar has blocks, a header for each
// file and two empty ones at its end.
func (s selfImage) layerSize() int64 {
	const block = 512
	size := int64(2 * block)
	for _, f := range s.files {
		size += block + (f.size+block-1)/block*block
	}
	return size
}

// placeSelf gives a node the image of the binary that boots it, unless it has it.
func (b *booting) placeSelf(ctx context.Context, index, pid int) error {
	mark := b.c.layout().node(index).path("self-image")
	if have, err := os.ReadFile(mark); err == nil && string(bytes.TrimSpace(have)) == b.self.layer {
		return nil
	}
	cmd := inNode(ctx, pid, "ctr", "--namespace", "k8s.io", "images", "import", "-")
	archive, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("import the image of clusterup: %w", err)
	}
	err = errors.Join(b.self.write(archive), archive.Close())
	if ended := cmd.Wait(); ended != nil {
		return fmt.Errorf("import the image of clusterup: %w%s", ended, tail(said.String(), 3))
	}
	if err != nil {
		return fmt.Errorf("import the image of clusterup: %w", err)
	}
	return writeFile(mark, []byte(b.self.layer+"\n"), 0o644)
}

// writeSelf writes the image of the running program to a file.
func writeSelf(args []string, stdout io.Writer) error {
	if len(args) != 1 {
		return errors.New("clusterup local image FILE")
	}
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	image, err := describeSelf(binary)
	if err != nil {
		return err
	}
	var archive bytes.Buffer
	if err := image.write(&archive); err != nil {
		return err
	}
	if err := writeFile(args[0], archive.Bytes(), 0o644); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s in %s\n", SelfImage, args[0])
	return err
}
