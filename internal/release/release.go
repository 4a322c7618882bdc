// SPDX-License-Identifier: Apache-2.0

// Package release keeps what was rendered: content-addressed releases in a
// bucket, the attempts to apply them, and the pointer to the one that is
// current. What is applied is what was read back from here and verified.
package release

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/secret"
)

// Part is one add-on of a release: its objects in the order of applying.
type Part struct {
	Addon   string
	Version string
	Rules   Rules
	Objects []*unstructured.Unstructured
	// Tokens are, by object, the keys of its data whose values come from tokens.
	Tokens map[Ref][]string
}

// Release is a set of add-ons under one digest. Equal content gives an equal
// digest, whoever made it and whenever.
type Release struct {
	Digest string // SHA-256 of the index, in hex
	Index  Index
	Parts  []Part

	index []byte
	blobs []blob
}

// blob is one object of the bucket that a release consists of.
type blob struct {
	key   string
	clear []byte       // as it is stored, or
	plain secret.Value // what is sealed before it is stored
}

// String names the release; its objects hold secrets.
func (r *Release) String() string { return "release " + r.Digest }

// New makes a release of the parts, which are in the order of their needs. key
// is the environment's HMAC key: it names what is sealed, so that an unchanged
// secret has an unchanged name and the name tells nothing.
func New(environment string, parts []Part, key secret.Value) (*Release, error) {
	if key.IsZero() {
		return nil, errors.New("making a release: there is no key to name sealed parts with")
	}
	r := &Release{Parts: parts, Index: Index{APIVersion: apiVersion, Kind: kind, Environment: environment}}
	seen := make(map[Ref]string)
	for _, part := range parts {
		entry, blobs, err := encodePart(part, key)
		if err != nil {
			return nil, fmt.Errorf("making a release of add-on %s: %w", part.Addon, err)
		}
		for _, ref := range entry.refs() {
			if other, ok := seen[ref.identity()]; ok {
				return nil, fmt.Errorf("making a release: %s %s is in the add-ons %s and %s", ref.Kind, ref.Title(), other, ref.Addon)
			}
			seen[ref.identity()] = ref.Addon
		}
		r.Index.Addons = append(r.Index.Addons, entry)
		r.blobs = append(r.blobs, blobs...)
	}
	var err error
	if r.index, err = encodeJSON(r.Index); err != nil {
		return nil, fmt.Errorf("making a release: %w", err)
	}
	r.Digest = sum(r.index)
	return r, nil
}

func sum(data []byte) string {
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:])
}
