// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
)

// generate makes a token out of random bytes. issuer is only looked at for a cert.
func generate(s Spec, issuer *authority, now time.Time) (token, error) {
	t := token{spec: s}
	var err error
	switch s.Kind {
	case CA, Cert:
		t, err = generatePair(s, issuer, now)
	default:
		t.secret, err = text(s, rand.Reader)
		if s.Kind == ACLToken && err == nil {
			t.public = uuid.NewString()
		}
	}
	if err != nil {
		return token{}, fmt.Errorf("making %s: %w", s.ID(), err)
	}
	return t, nil
}

func generatePair(s Spec, issuer *authority, now time.Time) (token, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return token{}, err
	}
	t := token{spec: s}
	if s.Kind == CA {
		t.public, err = selfSign(s, key, now)
	} else {
		t.public, err = issuer.issue(s, key, now)
	}
	if err != nil {
		return token{}, err
	}
	t.secret, err = encodeKey(key)
	return t, err
}

// text makes the secret of every kind that is no key pair.
func text(s Spec, random io.Reader) (Value, error) {
	switch s.Kind {
	case GossipKey, HMACKey:
		raw := make([]byte, 32)
		defer clear(raw)
		if _, err := io.ReadFull(random, raw); err != nil {
			return Value{}, err
		}
		return NewValue(base64.StdEncoding.AppendEncode(nil, raw)), nil
	case ACLToken:
		id, err := uuid.NewRandomFromReader(random)
		if err != nil {
			return Value{}, err
		}
		return NewString(id.String()), nil
	case Password:
		return password(s.length(), random)
	}
	return Value{}, fmt.Errorf("unknown kind %q", s.Kind)
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

func password(length int, random io.Reader) (Value, error) {
	// Bytes from fair on are thrown away: with them, some letters would be likelier.
	const fair = 256 / len(alphabet) * len(alphabet)
	letters := make([]byte, 0, length)
	for one := make([]byte, 1); len(letters) < length; {
		if _, err := io.ReadFull(random, one); err != nil {
			return Value{}, err
		}
		if int(one[0]) < fair {
			letters = append(letters, alphabet[int(one[0])%len(alphabet)])
		}
	}
	return NewValue(letters), nil
}
