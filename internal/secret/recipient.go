// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"errors"
	"fmt"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"

	"clusterup.dev/clusterup/internal/hint"
)

// Recipient is a public key that can be sealed to. The zero Recipient is
// nobody: sealing to it is an error.
type Recipient struct {
	key  age.Recipient
	text string
}

// String is the public key: "age1..." or "ssh-ed25519 AAAA...", without comment.
func (r Recipient) String() string { return r.text }

// IsZero reports whether there is no key.
func (r Recipient) IsZero() bool { return r.key == nil }

// Equal reports whether both are the same public key.
func (r Recipient) Equal(o Recipient) bool { return r.text == o.text }

// ParseRecipient reads a public key of kind "age" or "ssh" and proves that it
// can be sealed to. Errors never repeat the text, which may be a private key
// pasted by mistake.
func ParseRecipient(kind, text string) (Recipient, error) {
	text = strings.TrimSpace(text)
	if strings.Contains(text, "PRIVATE KEY") || strings.HasPrefix(strings.ToUpper(text), "AGE-SECRET-KEY-") {
		return Recipient{}, hint.With(errors.New("this is a private key, and a public key belongs here"),
			"whoever could read it should be taken to know it: make a new one")
	}
	var r Recipient
	var err error
	switch kind {
	case "age":
		r, err = parseAge(text)
	case "ssh":
		r, err = parseSSH(text)
	default:
		return Recipient{}, fmt.Errorf("unknown kind of key %q", kind)
	}
	if err != nil {
		return Recipient{}, err
	}
	if _, err := r.key.Wrap(make([]byte, 16)); err != nil {
		return Recipient{}, errors.New("nothing can be sealed to this public key")
	}
	return r, nil
}

func parseAge(text string) (Recipient, error) {
	if strings.HasPrefix(text, "age1pq1") {
		return Recipient{}, hint.With(errors.New("post-quantum age keys cannot be used yet"), "age-keygen makes one that can")
	}
	key, err := age.ParseX25519Recipient(text)
	if err != nil {
		return Recipient{}, hint.With(errors.New("this is not an age public key"),
			"it begins with age1 and has 62 letters and digits; age-keygen -y FILE prints it")
	}
	return Recipient{key: key, text: key.String()}, nil
}

func parseSSH(text string) (Recipient, error) {
	fields := strings.Fields(text)
	const usable = "ssh-ed25519 or ssh-rsa (2048 bits or more)"
	if len(fields) < 2 || strings.Contains(text, "\n") {
		return Recipient{}, hint.With(errors.New("this is not an SSH public key"),
			`it is one line: the type, then the key ("ssh-ed25519 AAAA..."), as in a .pub file`)
	}
	switch fields[0] {
	case "ssh-ed25519", "ssh-rsa":
	case "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-dss",
		"sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com":
		return Recipient{}, hint.With(fmt.Errorf("SSH keys of type %s cannot be sealed to", fields[0]), "use %s", usable)
	default:
		return Recipient{}, hint.With(errors.New("this is not an SSH public key"), "it begins with its type: %s", usable)
	}
	text = fields[0] + " " + fields[1]
	key, err := agessh.ParseRecipient(text)
	if err != nil {
		return Recipient{}, hint.With(fmt.Errorf("this %s public key is malformed, cut short or too small", fields[0]),
			"copy the line of the .pub file as it is; usable are %s", usable)
	}
	return Recipient{key: key, text: text}, nil
}
