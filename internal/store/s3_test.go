// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"errors"
	"testing"

	"clusterup.dev/clusterup/internal/store"
	"clusterup.dev/clusterup/internal/testservers"
)

// config is the server's bucket with a prefix of the test's own.
func config(s *testservers.S3Server) store.Config {
	return store.Config{
		Bucket: s.Bucket, Prefix: "env", Region: s.Region, Endpoint: s.Endpoint, PathStyle: true,
		AccessKey: s.AccessKey, SecretKey: s.SecretKey,
	}
}

func open(t *testing.T, c store.Config) *store.S3 {
	t.Helper()
	b, err := store.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestConditionalWrites(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	b := open(t, config(testservers.S3(t)))

	if _, _, err := b.Get(ctx, "a.json"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get of an absent key: %v", err)
	}
	v1, err := b.PutNew(ctx, "a.json", []byte("one"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.PutNew(ctx, "a.json", []byte("one")); !errors.Is(err, store.ErrExists) {
		t.Errorf("PutNew of what another call wrote: %v", err)
	}
	v2, err := b.PutIf(ctx, "a.json", []byte("two"), v1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.PutIf(ctx, "a.json", []byte("three"), v1); !errors.Is(err, store.ErrChanged) {
		t.Errorf("PutIf of an old version: %v", err)
	}
	if data, v, err := b.Get(ctx, "a.json"); err != nil || string(data) != "two" || v != v2 {
		t.Errorf("Get = %q, %q, %v; want %q, %q", data, v, err, "two", v2)
	}
	if err := b.Put(ctx, "a.json", []byte("four")); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := b.Delete(ctx, "a.json"); err != nil {
			t.Error(err)
		}
	}
	if _, err := b.PutIf(ctx, "a.json", []byte("five"), v2); !errors.Is(err, store.ErrChanged) {
		t.Errorf("PutIf of a deleted key: %v", err)
	}
	if _, err := b.PutIf(ctx, "a.json", nil, ""); err == nil {
		t.Error("PutIf without a version is carried out")
	}
	for _, key := range []string{"", ".", "/a", "a/", "a//b", "a/../b"} {
		if _, err := b.PutNew(ctx, key, nil); err == nil {
			t.Errorf("key %q is taken", key)
		}
	}
}
