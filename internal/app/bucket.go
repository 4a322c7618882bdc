// SPDX-License-Identifier: Apache-2.0

package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"clusterup.dev/clusterup/internal/store"
)

// tokenBucket is the store as package secret wants it: keys without versions,
// and the errors of io/fs.
type tokenBucket struct{ store.Bucket }

func (b tokenBucket) Get(ctx context.Context, key string) ([]byte, error) {
	data, _, err := b.Bucket.Get(ctx, key)
	return data, asFile(err, store.ErrNotFound, fs.ErrNotExist)
}

func (b tokenBucket) PutNew(ctx context.Context, key string, data []byte) error {
	_, err := b.Bucket.PutNew(ctx, key, data)
	return asFile(err, store.ErrExists, fs.ErrExist)
}

func (b tokenBucket) List(ctx context.Context, prefix string) ([]string, error) {
	entries, err := b.Bucket.List(ctx, prefix)
	keys := make([]string, 0, len(entries))
	for _, e := range entries {
		keys = append(keys, e.Key)
	}
	return keys, err
}

func asFile(err, from, to error) error {
	if errors.Is(err, from) {
		return fmt.Errorf("%w: %w", to, err)
	}
	return err
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
