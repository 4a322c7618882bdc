// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"clusterup.dev/clusterup/internal/hint"
)

func newPGP(t testing.TB, config *packet.Config) *openpgp.Entity {
	t.Helper()
	e, err := openpgp.NewEntity("bob", "", "bob@example.com", config)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func curve() *packet.Config {
	return &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Curve: packet.Curve25519}
}

// exported is what gpg --export prints, armored or not.
func exported(t testing.TB, kind string, armored bool, keys ...*openpgp.Entity) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.Writer = &b
	if armored {
		encoder, err := armor.Encode(&b, kind, nil)
		if err != nil {
			t.Fatal(err)
		}
		w = encoder
	}
	for _, e := range keys {
		write := e.Serialize
		if kind == openpgp.PrivateKeyType {
			write = func(w io.Writer) error { return e.SerializePrivate(w, nil) }
		}
		if err := write(w); err != nil {
			t.Fatal(err)
		}
	}
	if closer, ok := w.(io.Closer); ok {
		if err := closer.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// TestPGPKeysAreRead proves that a key is read in either form, and is given to Vault in the
// form that its API reads.
func TestPGPKeysAreRead(t *testing.T) {
	for name, config := range map[string]*packet.Config{"curve": curve(), "RSA": {Algorithm: packet.PubKeyAlgoRSA, RSABits: 2048}} {
		e := newPGP(t, config)
		for _, armored := range []bool{true, false} {
			k, err := ParsePGP(exported(t, openpgp.PublicKeyType, armored, e))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			fingerprint := fmt.Sprintf("%x", e.PrimaryKey.Fingerprint)
			if k.Fingerprint() != fingerprint || k.String() != "pgp:"+strings.ToUpper(fingerprint) || Fingerprint(k.String()) != "PGP "+strings.ToUpper(fingerprint) || PGPFingerprint(k.String()) != fingerprint || !IsPGP(k.String()) {
				t.Errorf("%s is %s", name, k)
			}
			if err := k.Usable(time.Now()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			text, err := k.Base64()
			if err != nil {
				t.Fatal(err)
			}
			data, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				t.Fatal(err)
			}
			again, err := openpgp.ReadEntity(packet.NewReader(bytes.NewReader(data))) // as Vault does
			if err != nil || again.PrivateKey != nil || !bytes.Equal(again.PrimaryKey.Fingerprint, e.PrimaryKey.Fingerprint) {
				t.Errorf("%s: %v", name, err)
			}
			var sealed bytes.Buffer
			w, err := openpgp.Encrypt(&sealed, []*openpgp.Entity{again}, nil, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = w.Write([]byte("share"))
			_ = w.Close()
			if !IsPGPMessage(sealed.Bytes()) || IsPGPMessage(data) || IsPGPMessage([]byte("share")) || IsPGPMessage(nil) {
				t.Error("a sealed message is not told from others")
			}
		}
	}
}

func TestBadPGPKeysAreRefused(t *testing.T) {
	bob, weak := newPGP(t, curve()), newPGP(t, &packet.Config{Algorithm: packet.PubKeyAlgoRSA, RSABits: 1024})
	signs := newPGP(t, curve())
	signs.Subkeys = nil
	public := exported(t, openpgp.PublicKeyType, true, bob)
	private := exported(t, openpgp.PrivateKeyType, true, bob)
	for name, c := range map[string]struct {
		text []byte
		want string
	}{
		"nothing":            {nil, "this is not a PGP public key, or it is cut short"},
		"text":               {[]byte("age1xyz"), "this is not a PGP public key, or it is cut short"},
		"cut short":          {public[:len(public)/2], "this is not a PGP public key, or it is cut short"},
		"a private key":      {private, "this is a private PGP key, and a public key belongs here"},
		"half a private key": {private[:len(private)/2], "this is a private PGP key, and a public key belongs here"},
		"a private one, raw": {exported(t, openpgp.PrivateKeyType, false, bob), "this is a private PGP key, and a public key belongs here"},
		"two":                {exported(t, openpgp.PublicKeyType, true, bob, newPGP(t, curve())), "these are 2 PGP keys, and one belongs here"},
		"a small one":        {exported(t, openpgp.PublicKeyType, true, weak), "this PGP key is too small"},
		"for signing":        {exported(t, openpgp.PublicKeyType, true, signs), "this PGP key is for signing alone: nothing can be sealed to it"},
	} {
		k, err := ParsePGP(c.text)
		if err == nil || err.Error() != c.want || hint.Of(err) == "" || !k.IsZero() {
			t.Errorf("%s: %v (hint %q)", name, err, hint.Of(err))
		}
	}
	if _, err := (PGPKey{}).Base64(); err == nil {
		t.Error("nobody's key has a form")
	}
	if err := (PGPKey{}).Usable(time.Now()); err == nil {
		t.Error("nobody's key is usable")
	}
}

// TestAnExpiredPGPKeyIsStillAKey proves that whoever holds a share goes on being a holder when
// their key expires or is revoked, and that nothing more is sealed to it.
func TestAnExpiredPGPKeyIsStillAKey(t *testing.T) {
	config := curve()
	config.KeyLifetimeSecs = 3600
	revoked := newPGP(t, curve())
	if err := revoked.RevokeKey(packet.KeyRetired, "", nil); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key *openpgp.Entity
		at  time.Time
	}{"expired": {newPGP(t, config), time.Now().Add(2 * time.Hour)}, "revoked": {revoked, time.Now().Add(time.Second)}} {
		k, err := ParsePGP(exported(t, openpgp.PublicKeyType, true, c.key))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := k.Usable(c.at); err == nil || hint.Of(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParsePGP(f *testing.F) {
	e := newPGP(f, curve())
	f.Add(exported(f, openpgp.PublicKeyType, true, e))
	f.Add(exported(f, openpgp.PublicKeyType, false, e))
	f.Add(exported(f, openpgp.PrivateKeyType, false, e))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := ParsePGP(text)
		if err == nil {
			_ = k.Usable(time.Now())
			_, err = k.Base64()
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("more than a line: %q", err)
		}
		IsPGPMessage(text)
	})
}
