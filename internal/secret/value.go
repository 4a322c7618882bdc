// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"fmt"
	"log/slog"
)

const redacted = "(secret)"

// Value holds secret bytes and redacts itself wherever it could be printed:
// fmt verbs, slog, JSON, YAML and text encoders. Reveal is the one way out.
// The zero Value is an absent secret.
type Value struct{ b []byte }

// NewValue takes ownership of b.
func NewValue(b []byte) Value { return Value{b: b} }

// NewString copies s.
func NewString(s string) Value { return Value{b: []byte(s)} }

// Reveal returns the secret bytes themselves, not a copy.
func (v Value) Reveal() []byte { return v.b }

// RevealString returns the secret as a string. Prefer Reveal: a string cannot be wiped.
func (v Value) RevealString() string { return string(v.b) }

// IsZero reports whether there is no secret.
func (v Value) IsZero() bool { return len(v.b) == 0 }

// Wipe overwrites the bytes. Copies made by others stay.
func (v Value) Wipe() { clear(v.b) }

// Format redacts under every fmt verb, %#v and %x among them.
func (v Value) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// String redacts.
func (v Value) String() string { return redacted }

// LogValue redacts in slog.
func (v Value) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText redacts in JSON, YAML and other text encodings.
func (v Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }
