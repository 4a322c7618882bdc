// SPDX-License-Identifier: Apache-2.0

package environment

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

// armored is a new PGP key as gpg exports it.
func armored(t *testing.T) string {
	t.Helper()
	e, err := openpgp.NewEntity("security", "", "", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Curve: packet.Curve25519})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := armor.Encode(&b, openpgp.PublicKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Serialize(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// block is a text as a YAML block of the field pgp.
func block(text string) string {
	return "pgp: |\n        " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n        ")
}

// loadPGP loads the good file with another key of security, and the keys beside it.
func loadPGP(t *testing.T, key string, files map[string]string) (*Environment, error) {
	t.Helper()
	text := strings.Replace(good, "ssh: "+sshKey, key, 1)
	dir := folderWith(t, "prod.yaml", text)
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Load("prod", dir)
}

func TestPGPKeysAreInTheFileOrBesideIt(t *testing.T) {
	key := armored(t)
	want, err := secret.ParsePGP([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{block(key), "pgp: keys/security.asc"} {
		e, err := loadPGP(t, text, map[string]string{"keys/security.asc": key})
		if err != nil {
			t.Fatal(err)
		}
		if keys := e.PGPKeys(); len(keys) != 1 || keys["security"].String() != want.String() {
			t.Errorf("%v", keys)
		}
		if keys, err := e.OperatorKeys(secret.Recipient{}); err != nil || len(keys) != 1 || keys["platform"].IsZero() {
			t.Errorf("tokens are sealed to %v, %v", keys, err)
		}
	}
}

func TestBadPGPKeysAreRefusedWhereTheyAre(t *testing.T) {
	key := armored(t)
	for name, c := range map[string]struct {
		key, want, hint string
		files           map[string]string
	}{
		"no file":       {"pgp: keys/none.asc", "prod.yaml:18:12: the key of operator security: reading ", "gpg --armor --export", nil},
		"no key":        {"pgp: keys/a.asc", "prod.yaml:18:12: the key of operator security: this is not a PGP public key", "gpg --armor --export", map[string]string{"keys/a.asc": "x"}},
		"half a key":    {block(key[:len(key)/2]), "prod.yaml:18:12: the key of operator security: this is not a PGP public key", "gpg --armor --export", nil},
		"several lines": {"pgp: \"a\\nb\"", "prod.yaml:18:12: the key of operator security: this is neither an armored PGP key nor the path", "gpg --armor --export", nil},
		"twice": {
			"pgp: a.asc\n    - name: oncall\n      pgp: a.asc", "prod.yaml:20:12: operators security and oncall have the same key", "one person, one operator",
			map[string]string{"a.asc": key},
		},
	} {
		_, err := loadPGP(t, c.key, c.files)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") || !strings.Contains(hint.Of(err), c.hint) {
			t.Errorf("%s: %v (hint %q)", name, err, hint.Of(err))
		}
	}
}

// TestTokensNeedSomebodyWhoOpensThem proves that PGP keys alone are not enough, and that no
// custodian has one.
func TestTokensNeedSomebodyWhoOpensThem(t *testing.T) {
	text := strings.Replace(strings.Replace(good, "ssh: "+sshKey, "pgp: a.asc", 1), "age: "+ageKey, "pgp: b.asc", 1)
	_, err := Load("prod", folderWith(t, "prod.yaml", text))
	if err == nil || !strings.Contains(err.Error(), "prod.yaml:15:5: every operator has a PGP key") || !strings.Contains(hint.Of(err), "age1") {
		t.Errorf("%v (hint %q)", err, hint.Of(err))
	}
	text = strings.Replace(strings.Replace(good, "ssh: "+sshKey, block(armored(t)), 1), "development: false", "development: true\n  custodian: security", 1)
	_, err = Load("prod", folderWith(t, "prod.yaml", text))
	if err == nil || !strings.Contains(err.Error(), "the custodian security has a PGP key") || hint.Of(err) == "" {
		t.Errorf("%v (hint %q)", err, hint.Of(err))
	}
}
