// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"

	"clusterup.dev/clusterup/internal/hint"
)

// Identity is a private key that opens what is sealed to its public half.
type Identity struct {
	key    age.Identity
	public Recipient
}

// Recipient is the public half.
func (i Identity) Recipient() Recipient { return i.public }

// Public is the public half as text: "age1..." or "ssh-ed25519 AAAA...".
func (i Identity) Public() string { return i.public.text }

// Format prints the public half: an Identity is never printed.
func (i Identity) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "identity of "+i.public.text) }

// A key file is small; anything larger is another file named by mistake.
const maxIdentityFile = 1 << 20

// LoadIdentities reads an age identity file or an SSH private key. It refuses a
// file that others may read. No file is an error that wraps fs.ErrNotExist.
func LoadIdentities(path string) ([]Identity, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, hint.With(fmt.Errorf("identity %s: %w", path, fs.ErrNotExist),
			"name your age or SSH private key with --identity FILE")
	}
	if err != nil {
		return nil, fmt.Errorf("reading the identity: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading the identity: %w", err)
	}
	switch mode := info.Mode(); {
	case !mode.IsRegular():
		return nil, fmt.Errorf("identity %s is not a file", path)
	case mode.Perm()&0o077 != 0:
		return nil, hint.With(fmt.Errorf("identity %s can be read by others (mode %04o)", path, mode.Perm()), "chmod 600 %s", path)
	case info.Size() > maxIdentityFile:
		return nil, fmt.Errorf("identity %s is too large to be a key (%d bytes)", path, info.Size())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxIdentityFile))
	if err != nil {
		return nil, fmt.Errorf("reading the identity: %w", err)
	}
	defer clear(text)
	ids, err := parseIdentities(text)
	if err != nil {
		return nil, fmt.Errorf("identity %s: %w", path, err)
	}
	return ids, nil
}

// parseIdentities never repeats a part of text in an error.
func parseIdentities(text []byte) ([]Identity, error) {
	trimmed := bytes.TrimSpace(text)
	switch {
	case bytes.HasPrefix(trimmed, []byte("age-encryption.org/")), bytes.HasPrefix(trimmed, []byte("-----BEGIN AGE ENCRYPTED FILE")):
		return nil, errors.New("it is encrypted itself, which is not supported")
	case bytes.HasPrefix(trimmed, []byte("ssh-")), bytes.HasPrefix(trimmed, []byte("age1")):
		return nil, hint.With(errors.New("it is a public key"), "name the private one, which opens what is sealed to it")
	case bytes.HasPrefix(trimmed, []byte("-----BEGIN")):
		return parseSSHIdentity(trimmed)
	}
	keys, err := age.ParseIdentities(bytes.NewReader(text))
	if err != nil {
		return nil, hint.With(errors.New("it is neither an age identity file nor an SSH private key"), "age-keygen -o FILE makes one")
	}
	ids := make([]Identity, len(keys))
	for i, key := range keys {
		native, ok := key.(*age.X25519Identity)
		if !ok {
			return nil, hint.With(errors.New("post-quantum age keys cannot be used yet"), "age-keygen makes one that can")
		}
		ids[i] = newIdentity(native)
	}
	return ids, nil
}

func newIdentity(key *age.X25519Identity) Identity {
	public := key.Recipient()
	return Identity{key: key, public: Recipient{key: public, text: public.String()}}
}

func parseSSHIdentity(text []byte) ([]Identity, error) {
	raw, err := ssh.ParseRawPrivateKey(text)
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		return nil, hint.With(errors.New("it is protected by a passphrase, which is not supported"),
			"use an age identity instead: age-keygen -o FILE")
	}
	if err != nil {
		return nil, errors.New("it is not a readable SSH private key")
	}
	signer, err := ssh.NewSignerFromKey(raw)
	if err != nil {
		return nil, errors.New("it is not a readable SSH private key")
	}
	public, err := ParseRecipient("ssh", string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
	if err != nil {
		return nil, err
	}
	key, err := agessh.ParseIdentity(text)
	if err != nil {
		return nil, errors.New("it is not a readable SSH private key")
	}
	return []Identity{{key: key, public: public}}, nil
}
