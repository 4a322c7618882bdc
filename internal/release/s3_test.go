// SPDX-License-Identifier: Apache-2.0

package release

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/store"
	"clusterup.dev/clusterup/internal/testservers"
)

// On a real S3 server: stage, fetch, tamper, attempt, promote.
func TestS3(t *testing.T) {
	ctx := t.Context()
	s := testservers.S3(t)
	b, err := store.Open(ctx, store.Config{
		Bucket: s.Bucket, Prefix: "env", Region: s.Region, Endpoint: s.Endpoint, PathStyle: true,
		AccessKey: s.AccessKey, SecretKey: s.SecretKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	l := library(t, b)
	r := mustNew(t, demo("a", "c2VjcmV0"))
	for range 2 {
		if err := l.Stage(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	got, err := l.Fetch(ctx, r.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r.Parts, got.Parts); diff != "" {
		t.Error(diff)
	}

	was, err := l.Inventory(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Attempt(ctx, r.Digest); err != nil {
		t.Fatal(err)
	}
	if err := l.Promote(ctx, r.Digest, was, 1); err != nil {
		t.Fatal(err)
	}
	if err := l.Promote(ctx, r.Digest, was, 1); !errors.Is(err, converge.ErrStale) {
		t.Errorf("a promotion from an old state: %v", err)
	}
	if now, err := l.Inventory(ctx); err != nil || !now.Settled(r.Digest) || len(now.Refs) != 4 {
		t.Errorf("Inventory = %+v, %v", now, err)
	}

	name := clearKey(r.Index.Addons[1].Objects)
	whole, _, err := b.Get(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Put(ctx, name, bytes.Replace(whole, []byte("demo"), []byte("dema"), 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Fetch(ctx, r.Digest); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("a changed byte: %v", err)
	}
}
