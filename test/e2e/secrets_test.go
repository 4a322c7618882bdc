// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
)

// opened is one sealed object of the bucket, opened with the operator's own
// identity and with age alone.
type opened struct {
	key   string // path in the bucket
	plain []byte
}

func (w *world) identity() string { return filepath.Join(w.home, ".config/clusterup/identity.txt") }

// sealed opens every .age object that the store's data folder holds, with the
// identities of everybody.
func (w *world) sealed(t *testing.T) []opened {
	t.Helper()
	var identities []age.Identity
	for _, path := range append(slices.Collect(maps.Values(w.others)), w.identity()) {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		more, err := age.ParseIdentities(file)
		_ = file.Close()
		if err != nil {
			t.Fatal(err)
		}
		identities = append(identities, more...)
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

// s3Keys is where the key of the local S3 server is, and nowhere else.
const s3Keys = "credentials.json"

// podsKey is the key of the certificate that pods know it by.
const podsKey = "pods.key"

// bucket reads every object from the disk of the local S3 server.
func (w *world) bucket(t *testing.T) map[string][]byte {
	t.Helper()
	return files(t, filepath.Join(w.state, "s3"), s3Keys, podsKey)
}

// files reads all regular files below a folder but those of some names.
func files(t *testing.T, dir string, but ...string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		for _, name := range but {
			if d.Name() == name {
				return nil
			}
		}
		all[path], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

type storedToken struct {
	Secret string `json:"secret"`
	Public string `json:"public"`
}

// stored is the newest generation of a token.
func (w *world) stored(t *testing.T, id string) storedToken {
	t.Helper()
	newest := opened{}
	for _, o := range w.sealed(t) {
		if strings.Contains(o.key, "/tokens/"+id+"/") && o.key > newest.key {
			newest = o
		}
	}
	if newest.key == "" {
		t.Fatalf("no token %s in the bucket", id)
	}
	var token storedToken
	if err := json.Unmarshal(newest.plain, &token); err != nil {
		t.Fatal(err)
	}
	return token
}

func (w *world) token(t *testing.T, id string) string  { return w.stored(t, id).Secret }
func (w *world) public(t *testing.T, id string) string { return w.stored(t, id).Public }

// secrets are all that must be nowhere, each in the forms to look for: tokens, CA
// keys, key shares, the key of the S3 server, the operator's identity.
func (w *world) secrets(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	tokens, shares := 0, 0
	for _, o := range w.sealed(t) {
		switch {
		case strings.Contains(o.key, "/tokens/"):
			var token storedToken
			if err := json.Unmarshal(o.plain, &token); err != nil {
				t.Fatal(err)
			}
			tokens++
			found[o.key] = forms(token.Secret)
		case strings.Contains(o.key, "/keys/"):
			shares++
			raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(o.plain)))
			if err != nil {
				t.Fatalf("%s is no share: %v", o.key, err)
			}
			found[o.key] = append(forms(string(raw)), hex.EncodeToString(raw))
		}
	}
	if tokens < 8 || shares < 3 {
		t.Errorf("%d tokens and %d sealed shares in the bucket, want 8 or more and 3 or more", tokens, shares)
	}
	var keys struct {
		SecretKey string
		Limited   struct{ SecretKey string }
	}
	data, err := os.ReadFile(filepath.Join(w.state, "s3", s3Keys))
	if err == nil {
		err = json.Unmarshal(data, &keys)
	}
	if err != nil {
		t.Fatal(err)
	}
	found["the key of the S3 server"] = forms(keys.SecretKey)
	found["the key of pods to the S3 server"] = forms(keys.Limited.SecretKey)
	identity, err := os.ReadFile(w.identity())
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(identity)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "AGE-SECRET-KEY-") {
			found["the operator's identity"] = forms(line)
		}
	}
	for name, forms := range found {
		if len(forms) == 0 || len(forms[0]) < 12 {
			t.Errorf("%s is too short to look for", name)
		}
	}
	return found
}

// forms are what a secret looks like wherever it was copied to: a line in its
// middle, which is all of it unless it is a PEM key, as it is, and that line within
// the base64 of whatever it stands in.
func forms(secret string) []string {
	lines := strings.Split(secret, "\n")
	if len(lines) > 2 && strings.HasPrefix(secret, "-----BEGIN ") {
		lines = strings.Split(strings.TrimSpace(secret), "\n")
		secret = strings.TrimSpace(lines[len(lines)/2])
	}
	all := []string{secret}
	for before := range 3 {
		part := within(secret, before)
		all = append(all, part)
		if url := strings.NewReplacer("+", "-", "/", "_").Replace(part); url != part {
			all = append(all, url)
		}
	}
	return all
}

// within is the part of a secret's base64 that is the same whatever stands before
// and behind it, when a multiple of three bytes and then so many stand before it.
func within(secret string, before int) string {
	encoded := base64.StdEncoding.EncodeToString(append(make([]byte, before), secret...))
	return encoded[(8*before+5)/6 : 8*(before+len(secret))/6]
}

func TestASecretIsFoundInWhateverHoldsIt(t *testing.T) {
	const token = "0f5e9c1d-7a55-4a0e-9d8e-5d1c2a7b3e4f"
	key := "-----BEGIN EC PRIVATE KEY-----\n" + strings.Repeat("MHcCAQEEIFz1", 5) + "\n" + strings.Repeat("oGCCqGSM49Aw", 5) + "\nEhHoUQDQgAE\n-----END EC PRIVATE KEY-----\n"
	binary := "\xff\xfe\xfb\xef\xbe\x00\x10\x83\x10\x51\x87\x20\xff\xff\xfe"
	for name, secret := range map[string]string{"a token": token, "a key": key, "bytes": binary} {
		quoted, err := json.Marshal(map[string]string{"x": secret})
		if err != nil {
			t.Fatal(err)
		}
		places := map[string]string{"itself": "x=" + secret + ";"}
		if name != "bytes" {
			places["JSON"] = string(quoted)
		}
		for before := range 6 {
			text := []byte(strings.Repeat("a", before) + secret + "\x01behind")
			places["base64 behind "+strings.Repeat("a", before)] = base64.StdEncoding.EncodeToString(text)
			places["base64 for URLs behind "+strings.Repeat("a", before)] = base64.RawURLEncoding.EncodeToString(text)
		}
		for where, text := range places {
			if !holds([]byte(text), forms(secret)) {
				t.Errorf("%s is not found in %s", name, where)
			}
			if holds([]byte(text), forms(strings.ToLower(secret)+"0")) {
				t.Errorf("another one than %s is found in %s", name, where)
			}
		}
	}
}

func holds(data []byte, forms []string) bool {
	for _, form := range forms {
		if bytes.Contains(data, []byte(form)) {
			return true
		}
	}
	return false
}
