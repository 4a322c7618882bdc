// SPDX-License-Identifier: Apache-2.0

// Package store is one place in one bucket: small objects that are read whole
// and written on conditions, and the run lock. It knows nothing of what is kept
// in it.
//
// Two conditions are all that safety needs here. PutNew writes a key once, and
// PutIf moves a key only from the version that the caller has read. Both mean
// the same after a lost answer: the client retries, finds its own write, reads
// it back and compares.
//
// No key may be the folder of another ("a" and "a/b"): stores that keep files
// cannot hold both. Give leaves an extension.
package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Version identifies one state of an object: its ETag. Equal bytes may have
// equal versions.
type Version string

// Entry is one object in a listing.
type Entry struct {
	Key      string
	Size     int64
	Modified time.Time // by the store's clock
}

// What the methods of Bucket answer when their condition does not hold.
var (
	ErrNotFound = errors.New("not in the store")
	ErrExists   = errors.New("already in the store")
	ErrChanged  = errors.New("changed in the store by somebody else")
	ErrReadOnly = errors.New("the store does not exist yet")
)

// Bucket is what the rest of the program may do with a store. Keys are paths
// without a leading slash.
type Bucket interface {
	// Get answers ErrNotFound when there is no such key.
	Get(ctx context.Context, key string) ([]byte, Version, error)
	// PutNew writes a key that must not exist yet, and answers ErrExists when
	// it does, with whatever content.
	PutNew(ctx context.Context, key string, data []byte) (Version, error)
	// PutIf replaces the version that the caller has read, and answers
	// ErrChanged when there is another one by now, or none.
	PutIf(ctx context.Context, key string, data []byte, was Version) (Version, error)
	// Put writes whatever was there before. Only what can be made anew may be
	// written so: observations, never decisions.
	Put(ctx context.Context, key string, data []byte) error
	// List gives every key that begins with prefix, sorted.
	List(ctx context.Context, prefix string) ([]Entry, error)
	// Delete removes a key. An absent one is success.
	Delete(ctx context.Context, key string) error
}

// Empty is a store that does not exist yet: it holds nothing and takes nothing.
// Planning reads it before the first run has made the real one.
type Empty struct{}

var _ Bucket = Empty{}

// Get answers ErrNotFound.
func (Empty) Get(_ context.Context, key string) ([]byte, Version, error) {
	return nil, "", fail("read", key, ErrNotFound)
}

// PutNew answers ErrReadOnly.
func (Empty) PutNew(_ context.Context, key string, _ []byte) (Version, error) {
	return "", fail("write", key, ErrReadOnly)
}

// PutIf answers ErrReadOnly.
func (Empty) PutIf(_ context.Context, key string, _ []byte, _ Version) (Version, error) {
	return "", fail("write", key, ErrReadOnly)
}

// Put answers ErrReadOnly.
func (Empty) Put(_ context.Context, key string, _ []byte) error {
	return fail("write", key, ErrReadOnly)
}

// List gives nothing.
func (Empty) List(context.Context, string) ([]Entry, error) { return nil, nil }

// Delete finds everything absent.
func (Empty) Delete(context.Context, string) error { return nil }

// Age answers ErrNotFound.
func (Empty) Age(_ context.Context, key string) (time.Duration, Version, error) {
	return 0, "", fail("look at", key, ErrNotFound)
}

func fail(verb, key string, err error) error { return fmt.Errorf("%s %s: %w", verb, key, err) }

// checkKey refuses keys that a store of files would take for another one.
func checkKey(key string) error {
	if key == "." || !fs.ValidPath(key) {
		return fmt.Errorf("%q is not a key", key)
	}
	return nil
}
