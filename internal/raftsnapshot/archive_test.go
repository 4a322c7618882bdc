// SPDX-License-Identifier: Apache-2.0

package raftsnapshot

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"testing"
)

// makeArchive is an archive as Consul makes one; change alters a file after its
// sum was taken.
func makeArchive(t *testing.T, change func(name string, data []byte) []byte) []byte {
	t.Helper()
	files := []struct{ name, text string }{{metaFile, `{"Version":1,"Index":77,"Term":3,"Size":5}`}, {stateFile, "state"}}
	sums := ""
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	out := tar.NewWriter(zip)
	add := func(name string, data []byte) {
		if data == nil {
			return
		}
		if err := out.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(data))}); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range files {
		sums += fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte(f.text)), f.name)
		add(f.name, change(f.name, []byte(f.text)))
	}
	add(sumsFile, change(sumsFile, []byte(sums)))
	add(sealFile, change(sealFile, nil)) // none, as Consul's
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

func same(_ string, data []byte) []byte { return data }

// A whole archive is read, and every way in which it can be less is told.
func TestCheck(t *testing.T) {
	whole := makeArchive(t, same)
	a, err := Check(bytes.NewReader(whole))
	if err != nil || a.Index != 77 || a.Term != 3 {
		t.Fatalf("%+v, %v", a, err)
	}
	ofVault := makeArchive(t, func(name string, data []byte) []byte {
		if name == sealFile {
			return []byte("encrypted")
		}
		return data
	})
	if a, err := Check(bytes.NewReader(ofVault)); err != nil || a.Index != 77 {
		t.Errorf("with Vault's seal: %+v, %v", a, err)
	}
	var copied bytes.Buffer
	if a, err := Copy(&copied, bytes.NewReader(ofVault)); err != nil || a.Index != 77 || !bytes.Equal(copied.Bytes(), ofVault) {
		t.Errorf("copied: %+v, %v", a, err)
	}
	if _, err := Copy(&copied, bytes.NewReader(whole[:len(whole)-9])); !errors.Is(err, ErrDamaged) {
		t.Errorf("cut off: %v", err)
	}
	only := func(name string, with []byte) func(string, []byte) []byte {
		return func(n string, data []byte) []byte {
			if n == name {
				return with
			}
			return data
		}
	}
	for what, data := range map[string][]byte{
		"another state":   makeArchive(t, only(stateFile, []byte("stale"))),
		"another meta":    makeArchive(t, only(metaFile, []byte(`{"Index":78}`))),
		"no state":        makeArchive(t, only(stateFile, nil)),
		"no sums":         makeArchive(t, only(sumsFile, nil)),
		"empty":           {},
		"not an archive":  []byte("Not found."),
		"followed":        append(bytes.Clone(whole), "more"...),
		"cut at the end":  whole[:len(whole)-4],
		"cut in the half": whole[:len(whole)/2],
	} {
		if _, err := Check(bytes.NewReader(data)); err == nil {
			t.Errorf("%s was taken for whole", what)
		}
	}
	for i := range whole {
		damaged := bytes.Clone(whole)
		damaged[i] ^= 0x10
		if got, err := Check(bytes.NewReader(damaged)); err == nil && got != a {
			t.Errorf("a changed byte %d was not found", i)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte{})
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = Check(io.LimitReader(bytes.NewReader(data), 1<<20)) })
}
