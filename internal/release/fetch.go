// SPDX-License-Identifier: Apache-2.0

package release

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"golang.org/x/sync/errgroup"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/store"
)

// Fetch reads a release back. Every byte of it is verified against the digest:
// what is changed, cut short or missing is an error that names the object.
func (l *Library) Fetch(ctx context.Context, digest string) (*Release, error) {
	index, err := l.index(ctx, digest)
	if err != nil {
		return nil, fmt.Errorf("reading release %s: %w", digest, err)
	}
	r := &Release{Digest: digest, Index: *index, Parts: make([]Part, len(index.Addons))}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(inFlight)
	for i, entry := range index.Addons {
		group.Go(func() (err error) {
			r.Parts[i], err = l.part(ctx, entry)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("reading release %s: %w", digest, err)
	}
	return r, nil
}

var digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (l *Library) index(ctx context.Context, digest string) (*Index, error) {
	if !digestForm.MatchString(digest) {
		return nil, fmt.Errorf("%q is not a digest", digest)
	}
	key := indexKey(digest)
	data, err := l.get(ctx, key)
	if err != nil {
		return nil, err
	}
	if sum(data) != digest {
		return nil, damaged(key, "is not what its name says: it was changed or cut short")
	}
	var index Index
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&index); err != nil || index.APIVersion != apiVersion || index.Kind != kind {
		return nil, hint.With(fmt.Errorf("%s is not an index that this version reads", key), "use the version of clusterup that made it, or a newer one")
	}
	return &index, nil
}

func (l *Library) part(ctx context.Context, entry Entry) (Part, error) {
	var open, sealed []byte
	var err error
	if entry.Objects != "" {
		if open, err = l.open(ctx, entry); err != nil {
			return Part{}, err
		}
	}
	if entry.Secrets != "" {
		if sealed, err = l.sealed(ctx, entry); err != nil {
			return Part{}, err
		}
	}
	part, err := decodePart(entry, open, sealed)
	if err != nil {
		return Part{}, fmt.Errorf("add-on %s: %w", entry.Name, err)
	}
	return part, nil
}

func (l *Library) open(ctx context.Context, entry Entry) ([]byte, error) {
	key := clearKey(entry.Objects)
	data, err := l.get(ctx, key)
	if err != nil {
		return nil, err
	}
	if sum(data) != entry.Objects {
		return nil, damaged(key, fmt.Sprintf("(add-on %s) is not what its name says: it was changed or cut short", entry.Name))
	}
	return data, nil
}

func (l *Library) sealed(ctx context.Context, entry Entry) ([]byte, error) {
	key := sealedKey(entry.Secrets)
	data, err := l.get(ctx, key)
	if err != nil {
		return nil, err
	}
	plain, err := secret.Open(data, l.Identities)
	switch {
	case errors.Is(err, secret.ErrNoIdentity):
		return nil, hint.With(fmt.Errorf("%s (the secrets of add-on %s): %w", key, entry.Name, err), "name the key of an operator with --identity")
	case err != nil:
		return nil, damaged(key, fmt.Sprintf("(the secrets of add-on %s) cannot be opened: it was changed or cut short", entry.Name))
	case sealedDigest(plain.Reveal(), l.Key) != entry.Secrets:
		return nil, damaged(key, fmt.Sprintf("(the secrets of add-on %s) is not what its name says: it was replaced", entry.Name))
	}
	return plain.Reveal(), nil
}

func (l *Library) get(ctx context.Context, key string) ([]byte, error) {
	data, _, err := l.Bucket.Get(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, hint.With(fmt.Errorf("%s is missing: %w", key, err), "nothing was applied; run create again, which stages what is missing")
	}
	return data, err
}
