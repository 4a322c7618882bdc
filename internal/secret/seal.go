// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
)

// ErrNoIdentity says that something is sealed to others than whoever runs.
var ErrNoIdentity = errors.New("it is sealed to others")

// Seal encrypts plain so that any one of the recipients can open it. The result
// is an ordinary age file, and another one each time.
func Seal(plain []byte, to []Recipient) ([]byte, error) {
	var sealed bytes.Buffer
	w, err := SealTo(&sealed, to)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	return sealed.Bytes(), nil
}

// ErrNobody says that nobody is named who could open what is to be sealed.
var ErrNobody = errors.New("sealing: nobody to seal to")

// SealTo is Seal for what is too large to be held twice: what is written to the
// result goes to sealed, encrypted. It is whole only after Close.
func SealTo(sealed io.Writer, to []Recipient) (io.WriteCloser, error) {
	if len(to) == 0 {
		return nil, ErrNobody
	}
	keys := make([]age.Recipient, len(to))
	for i, r := range to {
		if r.IsZero() {
			return nil, errors.New("sealing: a recipient has no key")
		}
		keys[i] = r.key
	}
	w, err := age.Encrypt(sealed, keys...)
	if err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	return w, nil
}

// Open decrypts what Seal made. ErrNoIdentity: none of ids may open it. Any
// other error: it is damaged or not an age file.
func Open(sealed []byte, ids []Identity) (Value, error) {
	r, err := OpenFrom(bytes.NewReader(sealed), ids)
	if err != nil {
		return Value{}, err
	}
	// Large enough never to grow: growing would leave copies behind.
	plain := bytes.NewBuffer(make([]byte, 0, len(sealed)+bytes.MinRead))
	if _, err := plain.ReadFrom(r); err != nil {
		NewValue(plain.Bytes()).Wipe()
		return Value{}, fmt.Errorf("opening: %w", err)
	}
	return NewValue(plain.Bytes()), nil
}

// OpenFrom is Open piece by piece. An error in the middle says that what has been
// read so far is no whole.
func OpenFrom(sealed io.Reader, ids []Identity) (io.Reader, error) {
	if len(ids) == 0 {
		return nil, ErrNoIdentity
	}
	keys := make([]age.Identity, len(ids))
	for i, id := range ids {
		if id.key == nil {
			return nil, errors.New("opening: an identity has no key")
		}
		keys[i] = id.key
	}
	r, err := age.Decrypt(sealed, keys...)
	var others *age.NoIdentityMatchError
	switch {
	case errors.As(err, &others):
		return nil, ErrNoIdentity
	case err != nil:
		return nil, fmt.Errorf("opening: %w", err)
	}
	return r, nil
}
