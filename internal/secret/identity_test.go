// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"

	"clusterup.dev/clusterup/internal/hint"
)

func identityFrom(t testing.TB, key crypto.Signer) Identity {
	t.Helper()
	private, _ := sshKey(t, key, "")
	ids, err := LoadIdentities(writeKey(t, string(private), 0o600))
	if err != nil || len(ids) != 1 {
		t.Fatal(len(ids), err)
	}
	return ids[0]
}

func writeKey(t testing.TB, text string, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAnIdentityIsMadeOnceForItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".config", "clusterup", "identity.txt")
	made, err := CreateIdentity(path)
	if err != nil {
		t.Fatal(err)
	}
	for file, mode := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700, filepath.Dir(filepath.Dir(path)): 0o700} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
	ids, err := LoadIdentities(path)
	if err != nil || len(ids) != 1 || ids[0].Public() != made.Public() || !ids[0].Recipient().Equal(made.Recipient()) {
		t.Fatalf("loaded %v, %v; made %v", ids, err, made)
	}
	before, _ := os.ReadFile(path)
	if _, err := CreateIdentity(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("made again: %v", err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("it was overwritten")
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

func TestRacingMakersOfAnIdentityEndWithOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "identity.txt")
	made, errs := make([]Identity, 8), make([]error, 8)
	var group sync.WaitGroup
	for i := range made {
		group.Go(func() { made[i], errs[i] = CreateIdentity(path) })
	}
	group.Wait()
	ids, err := LoadIdentities(path)
	if err != nil {
		t.Fatal(err)
	}
	winners := 0
	for i := range made {
		switch {
		case errs[i] == nil && made[i].Public() == ids[0].Public():
			winners++
		case !errors.Is(errs[i], fs.ErrExist):
			t.Errorf("a loser has %v, %v", made[i], errs[i])
		}
	}
	if winners != 1 {
		t.Errorf("%d winners", winners)
	}
}

func TestUnusableIdentityFilesAreRefused(t *testing.T) {
	id := newTestIdentity(t)
	text := id.key.(*age.X25519Identity).String()
	locked, public := sshKey(t, ed25519Key(t), "passphrase")
	plain, _ := sshKey(t, ed25519Key(t), "")
	folder := t.TempDir()
	for name, c := range map[string]struct{ path, want, hint string }{
		"absent":           {folder + "/none", "identity PATH: file does not exist", "name your age or SSH private key with --identity FILE"},
		"a folder":         {folder, "identity PATH is not a file", ""},
		"readable by all":  {writeKey(t, text, 0o644), "identity PATH can be read by others (mode 0644)", "chmod 600 PATH"},
		"readable by some": {writeKey(t, text, 0o640), "identity PATH can be read by others (mode 0640)", "chmod 600 PATH"},
		"large":            {writeKey(t, strings.Repeat("x", 2<<20), 0o600), "identity PATH is too large to be a key (2097152 bytes)", ""},
		"empty":            {writeKey(t, "", 0o600), "identity PATH: it is neither an age identity file nor an SSH private key", "age-keygen -o FILE makes one"},
		"a typo":           {writeKey(t, text[:60]+"\n", 0o600), "identity PATH: it is neither an age identity file nor an SSH private key", "age-keygen -o FILE makes one"},
		"public age":       {writeKey(t, id.Public(), 0o600), "identity PATH: it is a public key", "name the private one, which opens what is sealed to it"},
		"public ssh":       {writeKey(t, public, 0o600), "identity PATH: it is a public key", "name the private one, which opens what is sealed to it"},
		"encrypted age":    {writeKey(t, "age-encryption.org/v1\n", 0o600), "identity PATH: it is encrypted itself, which is not supported", ""},
		"with passphrase":  {writeKey(t, string(locked), 0o600), "identity PATH: it is protected by a passphrase, which is not supported", "use an age identity instead: age-keygen -o FILE"},
		"ssh cut short":    {writeKey(t, string(plain[:100]), 0o600), "identity PATH: it is not a readable SSH private key", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := LoadIdentities(c.path)
			if err == nil {
				t.Fatal("it was read")
			}
			got, gotHint := strings.ReplaceAll(err.Error(), c.path, "PATH"), strings.ReplaceAll(hint.Of(err), c.path, "PATH")
			if got != c.want || gotHint != c.hint {
				t.Errorf("got  %s (%s)\nwant %s (%s)", got, gotHint, c.want, c.hint)
			}
			if errors.Is(err, fs.ErrNotExist) != (name == "absent") {
				t.Error("only a file that is absent is not there")
			}
			if strings.Contains(fmt.Sprint(err, hint.Of(err)), text[20:40]) {
				t.Error("the error repeats the key")
			}
		})
	}
}

func TestAFileMayHoldSeveralAgeIdentities(t *testing.T) {
	one, two := newTestIdentity(t), newTestIdentity(t)
	text := "# mine\n" + one.key.(*age.X25519Identity).String() + "\n\n" + two.key.(*age.X25519Identity).String() + "\n"
	ids, err := LoadIdentities(writeKey(t, text, 0o400))
	if err != nil || len(ids) != 2 || ids[1].Public() != two.Public() {
		t.Errorf("%v, %v", ids, err)
	}
}

func TestAnIdentityIsNotPrinted(t *testing.T) {
	id := newTestIdentity(t)
	private := id.key.(*age.X25519Identity).String()
	for _, carrier := range []any{id, &id, []Identity{id}, struct{ id Identity }{id}, &Keeper{Identities: []Identity{id}}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
			if out := fmt.Sprintf(verb, carrier); strings.Contains(out, private) || strings.Contains(out, "AGE-SECRET") {
				t.Errorf("%s prints %s", verb, out)
			}
		}
	}
}
