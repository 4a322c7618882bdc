// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"clusterup.dev/clusterup/internal/hint"
)

// PGPKey is a PGP public key. Nothing is sealed to it here: Vault does that, with
// the same library, so that no process of ours sees what is sealed. The zero
// PGPKey is nobody's.
type PGPKey struct {
	entity *openpgp.Entity
}

// pgpPrefix begins the text of a PGP key where it stands beside age and SSH keys.
const pgpPrefix = "pgp:"

// IsZero reports whether there is no key.
func (k PGPKey) IsZero() bool { return k.entity == nil }

// String names the key: "pgp:" and its fingerprint, since the key itself is long.
func (k PGPKey) String() string { return pgpPrefix + strings.ToUpper(k.Fingerprint()) }

// Fingerprint is that of the primary key as Vault writes it: in small hex.
func (k PGPKey) Fingerprint() string {
	if k.IsZero() {
		return ""
	}
	return fmt.Sprintf("%x", k.entity.PrimaryKey.Fingerprint)
}

// IsPGP reports whether the text of a public key is that of a PGP key.
func IsPGP(public string) bool { return strings.HasPrefix(public, pgpPrefix) }

// PGPFingerprint is the fingerprint in the text of a PGP key, as Vault writes it.
func PGPFingerprint(public string) string {
	return strings.ToLower(strings.TrimPrefix(public, pgpPrefix))
}

// Base64 is the key as Vault's API takes it.
func (k PGPKey) Base64() (string, error) {
	var b bytes.Buffer
	if k.IsZero() {
		return "", errors.New("there is no PGP key")
	}
	if err := k.entity.Serialize(&b); err != nil {
		return "", fmt.Errorf("encoding the PGP key %s: %w", k, err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes()), nil
}

// Usable says what keeps Vault from sealing to the key at a time: it has expired or was
// revoked. A key that is not usable any more still opens what was sealed to it.
func (k PGPKey) Usable(now time.Time) error {
	if k.IsZero() {
		return errors.New("there is no PGP key")
	}
	key, ok := k.entity.EncryptionKey(now)
	if !ok {
		return hint.With(fmt.Errorf("the PGP key %s has expired or is revoked", k), "its owner extends it (gpg --quick-set-expire) and exports it again")
	}
	if err := checkStrength(key.PublicKey); err != nil {
		return err
	}
	w, err := openpgp.Encrypt(io.Discard, []*openpgp.Entity{k.entity}, nil, nil, &packet.Config{Time: func() time.Time { return now }})
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return fmt.Errorf("nothing can be sealed to the PGP key %s: %w", k, err)
	}
	return nil
}

// IsPGPMessage reports whether data is what was sealed to a PGP key, and no more
// than that: it begins with who can open it.
func IsPGPMessage(data []byte) bool {
	p, err := packet.Read(bytes.NewReader(data))
	if err != nil {
		return false
	}
	_, sealed := p.(*packet.EncryptedKey)
	return sealed
}
