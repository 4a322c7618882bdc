// SPDX-License-Identifier: Apache-2.0

// Package raftsnapshot reads the form in which Consul and Vault write the snapshots
// of their raft: a gzipped tar of meta.json, state.bin and the sums of both. It knows
// nothing of what the state holds.
package raftsnapshot

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Archive is what a snapshot says of itself.
type Archive struct {
	Index uint64 `json:"Index"` // of the last entry of raft in it
	Term  uint64 `json:"Term"`
	Size  int64  `json:"Size"` // of the state, unpacked
}

const (
	metaFile  = "meta.json"
	stateFile = "state.bin"
	sumsFile  = "SHA256SUMS"
	sealFile  = "SHA256SUMS.sealed" // Vault's: the same, encrypted
	small     = 4 << 20             // of the files beside the state
)

// ErrDamaged says that a snapshot is not whole.
var ErrDamaged = errors.New("the snapshot is damaged")

// Check reads a snapshot to its end and makes sure that it is whole. Servers make the
// same check, but after they have been sent all of it.
func Check(r io.Reader) (Archive, error) {
	a, err := read(r)
	if err != nil {
		return a, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return a, nil
}

// Copy copies a snapshot and checks it while it passes.
func Copy(to io.Writer, from io.Reader) (a Archive, err error) {
	pipe, sink := io.Pipe()
	checked := make(chan error, 1)
	go func() {
		var wrong error
		a, wrong = Check(pipe)
		_, _ = io.Copy(io.Discard, pipe)
		checked <- wrong
	}()
	_, err = io.Copy(io.MultiWriter(to, sink), from)
	_ = sink.CloseWithError(err) // nil is the end
	wrong := <-checked
	if err == nil {
		err = wrong
	}
	return a, err
}

func read(r io.Reader) (a Archive, err error) {
	whole := bufio.NewReader(r)
	unpacked, err := gzip.NewReader(whole)
	if err != nil {
		return a, err
	}
	unpacked.Multistream(false)
	sums, said := map[string]string{}, map[string]string{}
	for files := tar.NewReader(unpacked); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return a, err
		}
		sum := sha256.New()
		var text bytes.Buffer
		to := io.Writer(sum)
		if h.Name != stateFile {
			if h.Size > small {
				return a, fmt.Errorf("%s has %d bytes", h.Name, h.Size)
			}
			to = io.MultiWriter(sum, &text)
		}
		if _, err := io.Copy(to, files); err != nil { //nolint:gosec // only hashed, and bounded by h.Size where it is kept
			return a, err
		}
		switch h.Name {
		case metaFile:
			if err := json.Unmarshal(text.Bytes(), &a); err != nil {
				return a, fmt.Errorf("%s: %w", metaFile, err)
			}
		case sumsFile:
			for line := range strings.Lines(text.String()) {
				if f := strings.Fields(line); len(f) == 2 {
					said[f[1]] = f[0]
				}
			}
			continue
		case stateFile:
		case sealFile:
			continue
		default:
			return a, fmt.Errorf("it holds %q", h.Name)
		}
		sums[h.Name] = hex.EncodeToString(sum.Sum(nil))
	}
	for _, name := range []string{metaFile, stateFile} {
		if sums[name] == "" || sums[name] != said[name] {
			return a, fmt.Errorf("the sum of %s is not the one in it", name)
		}
	}
	if _, err := io.Copy(io.Discard, unpacked); err != nil { // its own checksum stands at the end
		return a, err
	}
	if _, err := whole.ReadByte(); !errors.Is(err, io.EOF) {
		return a, errors.Join(errors.New("something follows it"), err)
	}
	return a, nil
}
