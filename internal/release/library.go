// SPDX-License-Identifier: Apache-2.0

package release

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/store"
)

// Bucket is where releases are kept, with the meaning that store.Bucket gives
// to these methods and errors.
type Bucket interface {
	Get(ctx context.Context, key string) ([]byte, store.Version, error)
	PutNew(ctx context.Context, key string, data []byte) (store.Version, error)
	PutIf(ctx context.Context, key string, data []byte, was store.Version) (store.Version, error)
	List(ctx context.Context, prefix string) ([]store.Entry, error)
	Delete(ctx context.Context, key string) error
}

// Library is the releases of one environment.
type Library struct {
	Bucket     Bucket
	Recipients []secret.Recipient // who can open what Stage seals
	Identities []secret.Identity  // what Fetch opens with
	Key        secret.Value       // the HMAC key that New was given
}

// Requests in flight.
const inFlight = 16

// Missing names the objects of the bucket that Stage would write. It makes two
// requests, and more only where listings are long. A release that was read from the
// bucket lacks nothing: it is verified when it is read again.
func (l *Library) Missing(ctx context.Context, r *Release) ([]string, error) {
	var keys []string
	missing, err := l.missing(ctx, r)
	for _, b := range missing {
		keys = append(keys, b.key)
	}
	return keys, err
}

// missing ends with the index when that is missing.
func (l *Library) missing(ctx context.Context, r *Release) ([]blob, error) {
	if r.index == nil {
		return nil, nil
	}
	var listings [2][]store.Entry
	group, ctx := errgroup.WithContext(ctx)
	for i, prefix := range []string{"objects/", indexKey(r.Digest)} {
		group.Go(func() (err error) {
			listings[i], err = l.Bucket.List(ctx, prefix)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("looking for what %v needs: %w", r, err)
	}
	there := make(map[string]bool)
	for _, listing := range listings {
		for _, entry := range listing {
			there[entry.Key] = true
		}
	}
	var missing []blob
	for _, b := range append(r.blobs[:len(r.blobs):len(r.blobs)], blob{key: indexKey(r.Digest), clear: r.index}) {
		if !there[b.key] {
			missing = append(missing, b)
			there[b.key] = true
		}
	}
	return missing, nil
}

// Stage writes what the bucket lacks of the release, the index last: where an
// index is, everything that it names has been. What is there is not read.
func (l *Library) Stage(ctx context.Context, r *Release) error {
	missing, err := l.missing(ctx, r)
	if err != nil {
		return err
	}
	last := len(missing) - 1
	hasIndex := last >= 0 && missing[last].key == indexKey(r.Digest)
	if !hasIndex {
		last++
	}
	group, partsCtx := errgroup.WithContext(ctx)
	group.SetLimit(inFlight)
	for _, b := range missing[:last] {
		group.Go(func() error { return l.put(partsCtx, b) })
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("staging %v: %w", r, err)
	}
	if hasIndex {
		if err := l.put(ctx, missing[last]); err != nil {
			return fmt.Errorf("staging %v: %w", r, err)
		}
	}
	return nil
}

// put writes one object. That it exists by now is success: its name says what
// it holds, and Fetch verifies that.
func (l *Library) put(ctx context.Context, b blob) error {
	data := b.clear
	if !b.plain.IsZero() {
		sealed, err := secret.Seal(b.plain.Reveal(), l.Recipients)
		if err != nil {
			return fmt.Errorf("%s: %w", b.key, err)
		}
		data = sealed
	}
	if _, err := l.Bucket.PutNew(ctx, b.key, data); err != nil && !errors.Is(err, store.ErrExists) {
		return err
	}
	return nil
}

func damaged(key, what string) error {
	return hint.With(fmt.Errorf("%s %s", key, what),
		"nothing was applied; move this object out of the bucket and run again, which stages it anew")
}
