// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"

	"clusterup.dev/clusterup/internal/hint"
)

// sshKey is a key pair as OpenSSH writes it.
func sshKey(t testing.TB, key crypto.Signer, passphrase string) (private []byte, public string) {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(key, "jo@laptop")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "jo@laptop", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	half, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(block), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(half)))
}

func ed25519Key(t testing.TB) crypto.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t testing.TB, bits int) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestPublicKeysOfEachKindAreRead(t *testing.T) {
	native := newTestIdentity(t).Public()
	_, ed := sshKey(t, ed25519Key(t), "")
	_, rs := sshKey(t, rsaKey(t, 2048), "")
	for text, c := range map[string]struct{ kind, want string }{
		native:                {"age", native},
		"  " + native + "\n":  {"age", native},
		ed:                    {"ssh", ed},
		ed + " jo@laptop":     {"ssh", ed},
		rs + "  a comment \n": {"ssh", rs},
	} {
		r, err := ParseRecipient(c.kind, text)
		if err != nil || r.String() != c.want || r.IsZero() {
			t.Errorf("%s: got %q, %v", text, r, err)
		}
	}
}

func TestUnreadablePublicKeysAreRefused(t *testing.T) {
	id := newTestIdentity(t)
	private, ed := sshKey(t, ed25519Key(t), "")
	_, small := sshKey(t, rsaKey(t, 1024), "")
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, curve := sshKey(t, ec, "")
	const wrongAge = "this is not an age public key"
	const wrongSSH = "this is not an SSH public key"
	const isPrivate = "this is a private key, and a public key belongs here"
	for name, c := range map[string]struct{ kind, text, want string }{
		"empty age":           {"age", "", wrongAge},
		"age cut short":       {"age", id.Public()[:40], wrongAge},
		"age with a typo":     {"age", strings.Replace(id.Public(), "age1q", "age1p", 1)[:61] + "b", wrongAge},
		"ssh where age is":    {"age", ed, wrongAge},
		"private age":         {"age", strings.ToLower(id.key.(*age.X25519Identity).String()), isPrivate},
		"post-quantum":        {"age", "age1pq1abc", "post-quantum age keys cannot be used yet"},
		"empty ssh":           {"ssh", "", wrongSSH},
		"a path":              {"ssh", "~/.ssh/id_ed25519.pub", wrongSSH},
		"age where ssh is":    {"ssh", id.Public() + " x", wrongSSH},
		"private ssh":         {"ssh", string(private), isPrivate},
		"ssh cut short":       {"ssh", ed[:50], "this ssh-ed25519 public key is malformed, cut short or too small"},
		"small rsa":           {"ssh", small, "this ssh-rsa public key is malformed, cut short or too small"},
		"two keys":            {"ssh", ed + "\n" + ed, wrongSSH},
		"with options":        {"ssh", `command="x" ` + ed, wrongSSH},
		"ecdsa":               {"ssh", curve, "SSH keys of type ecdsa-sha2-nistp256 cannot be sealed to"},
		"one type as another": {"ssh", strings.Replace(ed, "ssh-ed25519", "ssh-rsa", 1), "this ssh-rsa public key is malformed, cut short or too small"},
		"a low-order point":   {"ssh", lowOrder(), "nothing can be sealed to this public key"},
		"unknown kind":        {"pgp", "x", `unknown kind of key "pgp"`},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := ParseRecipient(c.kind, c.text)
			if err == nil || err.Error() != c.want || !r.IsZero() {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			if name != "a low-order point" && name != "unknown kind" && hint.Of(err) == "" {
				t.Error("there is no hint")
			}
			if secretPart := id.key.(*age.X25519Identity).String()[20:]; strings.Contains(strings.ToUpper(err.Error()+hint.Of(err)), secretPart) {
				t.Error("the error repeats the key")
			}
		})
	}
}

// lowOrder is an Ed25519 key that makes every shared secret zero.
func lowOrder() string {
	point := make([]byte, 32)
	point[0] = 1
	blob := ssh.Marshal(struct {
		Type string
		Key  []byte
	}{"ssh-ed25519", point})
	return "ssh-ed25519 " + base64.StdEncoding.EncodeToString(blob)
}

func TestEveryRecipientOpensAndNobodyElse(t *testing.T) {
	native, stranger := newTestIdentity(t), newTestIdentity(t)
	ids := []Identity{native, identityFrom(t, ed25519Key(t)), identityFrom(t, rsaKey(t, 2048))}
	to := make([]Recipient, len(ids))
	for i, id := range ids {
		to[i] = id.Recipient()
	}
	sealed, err := Seal([]byte(canary), to)
	if err != nil || strings.Contains(string(sealed), canary) {
		t.Fatal("not sealed", err)
	}
	for _, id := range ids {
		for _, with := range [][]Identity{{id}, {stranger, id}} {
			if v, err := Open(sealed, with); err != nil || v.RevealString() != canary {
				t.Errorf("%v does not open it: %v", id, err)
			}
		}
	}
	for _, with := range [][]Identity{{stranger}, {identityFrom(t, ed25519Key(t)), stranger}, nil} {
		if _, err := Open(sealed, with); !errors.Is(err, ErrNoIdentity) {
			t.Errorf("%v: %v", with, err)
		}
	}
	if again, _ := Seal([]byte(canary), to); string(again) == string(sealed) {
		t.Error("sealing twice gives the same bytes")
	}
	if _, err := Seal([]byte(canary), nil); err == nil {
		t.Error("sealed to nobody")
	}
	if _, err := Seal([]byte(canary), []Recipient{to[0], {}}); err == nil {
		t.Error("sealed to a recipient without a key")
	}
}

func TestDamageIsNotTakenForSealedToOthers(t *testing.T) {
	id := newTestIdentity(t)
	sealed, err := Seal([]byte(strings.Repeat(canary, 10000)), []Recipient{id.Recipient()})
	if err != nil {
		t.Fatal(err)
	}
	for _, bytes := range [][]byte{nil, sealed[:10], sealed[:len(sealed)-1], append(sealed[:len(sealed):len(sealed)], 0), []byte(canary)} {
		if v, err := Open(bytes, []Identity{id}); err == nil || errors.Is(err, ErrNoIdentity) || !v.IsZero() {
			t.Errorf("%d bytes of %d: %v", len(bytes), len(sealed), err)
		}
	}
}
