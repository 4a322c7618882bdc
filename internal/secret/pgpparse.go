// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"clusterup.dev/clusterup/internal/hint"
)

// minRSA is how long an RSA key has to be, in bits.
const minRSA = 2048

// pgpExport is how a holder makes what is asked for.
const pgpExport = "gpg --armor --export FINGERPRINT prints it"

// ParsePGP reads one PGP public key, armored or not, and checks that it has a part
// that can be sealed to. That it has not expired is for Usable to say: who holds a share
// holds it after that as well. Errors never repeat the text, which may be a private key
// given by mistake.
func ParsePGP(text []byte) (PGPKey, error) {
	entities, err := readPGP(text)
	private := bytes.Contains(text, []byte(openpgp.PrivateKeyType)) || len(entities) > 0 && entities[0].PrivateKey != nil
	switch {
	case err != nil && !private:
		return PGPKey{}, hint.With(errors.New("this is not a PGP public key, or it is cut short"), pgpExport)
	case private:
		return PGPKey{}, hint.With(errors.New("this is a private PGP key, and a public key belongs here"),
			"whoever could read it should be taken to know it: make a new one")
	case len(entities) != 1:
		return PGPKey{}, hint.With(fmt.Errorf("these are %d PGP keys, and one belongs here", len(entities)), pgpExport)
	}
	e := entities[0]
	if e.PrimaryKey.Version != 4 {
		return PGPKey{}, hint.With(fmt.Errorf("PGP keys of version %d cannot be used", e.PrimaryKey.Version), "use one of version 4, as gpg makes it")
	}
	var weak error
	for _, key := range encryptionKeys(e) {
		if weak = checkStrength(key); weak == nil {
			return PGPKey{entity: e}, nil
		}
	}
	if weak != nil {
		return PGPKey{}, weak
	}
	return PGPKey{}, hint.With(errors.New("this PGP key is for signing alone: nothing can be sealed to it"), "gpg --quick-add-key FINGERPRINT cv25519 encr adds a part that can be sealed to")
}

func readPGP(text []byte) (openpgp.EntityList, error) {
	var in io.Reader = bytes.NewReader(text)
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("-----BEGIN")) {
		block, err := armor.Decode(in)
		if err != nil {
			return nil, err
		}
		in = block.Body
	}
	entities, err := openpgp.ReadKeyRing(in)
	if err == nil && len(entities) == 0 {
		err = io.ErrUnexpectedEOF
	}
	return entities, err
}

// encryptionKeys are the parts of a key that were ever meant to be sealed to.
func encryptionKeys(e *openpgp.Entity) []*packet.PublicKey {
	var keys []*packet.PublicKey
	for _, sub := range e.Subkeys {
		if sub.Sig != nil && sub.Sig.FlagsValid && sub.Sig.FlagEncryptCommunications && sub.PublicKey.PubKeyAlgo.CanEncrypt() {
			keys = append(keys, sub.PublicKey)
		}
	}
	if sig, _ := e.PrimarySelfSignature(); sig != nil && sig.FlagsValid && sig.FlagEncryptCommunications && e.PrimaryKey.PubKeyAlgo.CanEncrypt() {
		keys = append(keys, e.PrimaryKey)
	}
	return keys
}

func checkStrength(key *packet.PublicKey) error {
	switch key.PubKeyAlgo {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSAEncryptOnly:
		if bits, err := key.BitLength(); err != nil || bits < minRSA {
			return hint.With(errors.New("this PGP key is too small"), "RSA needs %d bits or more", minRSA)
		}
		return nil
	case packet.PubKeyAlgoECDH:
		return nil
	}
	return hint.With(errors.New("PGP keys of this kind cannot be sealed to"), "use RSA (%d bits or more) or an elliptic curve (cv25519)", minRSA)
}
