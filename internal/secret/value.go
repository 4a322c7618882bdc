// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
)

const redacted = "(secret)"

// Value holds secret bytes and redacts itself wherever it could be printed:
// fmt verbs, slog, JSON, YAML and text encoders. Reveal is the one way out.
// The zero Value is an absent secret.
type Value struct {
	// A closure, because fmt calls no method on an unexported field of another
	// struct, nor for %w and %p: it walks the memory by reflection, follows
	// pointers in some cases, and stops at a func in all. It also makes ==,
	// which would compare addresses, an error: use Equal.
	reveal func() []byte
}

// NewValue takes ownership of b.
func NewValue(b []byte) Value { return Value{reveal: func() []byte { return b }} }

// NewString copies s.
func NewString(s string) Value { return NewValue([]byte(s)) }

// Reveal returns the secret bytes themselves, not a copy.
func (v Value) Reveal() []byte {
	if v.reveal == nil {
		return nil
	}
	return v.reveal()
}

// RevealString returns the secret as a string. Prefer Reveal: a string cannot be wiped.
func (v Value) RevealString() string { return string(v.Reveal()) }

// IsZero reports whether there is no secret.
func (v Value) IsZero() bool { return len(v.Reveal()) == 0 }

// Equal compares in constant time.
func (v Value) Equal(w Value) bool {
	return subtle.ConstantTimeCompare(v.Reveal(), w.Reveal()) == 1
}

// Wipe overwrites the bytes. Copies made by others stay.
func (v Value) Wipe() { clear(v.Reveal()) }

// Format redacts under the fmt verbs, %#v and %x among them.
func (v Value) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// String redacts.
func (v Value) String() string { return redacted }

// LogValue redacts in slog.
func (v Value) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText redacts in JSON, YAML and other text encodings.
func (v Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }
