// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const failed = "PreconditionFailed"

func TestConditionalPuts(t *testing.T) {
	c := start(t)
	ctx := t.Context()
	first, code := put(ctx, c, "a.json", "1", absent)
	if code != "" {
		t.Fatal("create-only put of a new key:", code)
	}
	if _, code := put(ctx, c, "a.json", "2", absent); code != failed {
		t.Errorf("create-only put of a key that is there: %q", code)
	}
	second, code := put(ctx, c, "a.json", "3", match(first))
	if code != "" {
		t.Fatal("compare-and-swap:", code)
	}
	if _, code := put(ctx, c, "a.json", "4", match(first)); code != failed {
		t.Errorf("compare-and-swap with a stale etag: %q", code)
	}
	_, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String("a.json"), IfMatch: &first})
	if err == nil || codeOf(err) != failed {
		t.Errorf("delete with a stale etag: %v", err)
	}
	out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("a.json")})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(out.Body)
	if err != nil || string(body) != "3" || aws.ToString(out.ETag) != second {
		t.Errorf("read %q with etag %s, %v", body, aws.ToString(out.ETag), err)
	}
}

// A lock file that was released can be taken again on a versioned bucket,
// where releasing it leaves a delete marker; and one of many gets it.
func TestLockIsTakenAgainOnAVersionedBucket(t *testing.T) {
	c := start(t)
	enableVersions(t, c)
	for round := range 10 {
		var winners atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				switch _, code := put(t.Context(), c, "state.tflock", "me", absent); code {
				case "":
					winners.Add(1)
				case failed:
				default:
					t.Errorf("round %d: %s", round, code)
				}
			})
		}
		wg.Wait()
		if n := winners.Load(); n != 1 {
			t.Fatalf("round %d: %d took the lock", round, n)
		}
		_, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String("state.tflock")})
		if err != nil {
			t.Fatalf("round %d: unlock: %v", round, err)
		}
	}
}

func TestVersionsAreKept(t *testing.T) {
	c := start(t)
	enableVersions(t, c)
	for _, body := range []string{"old", "new"} {
		if _, code := put(t.Context(), c, "current.json", body); code != "" {
			t.Fatal(code)
		}
	}
	out, err := c.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: aws.String(bucket)})
	if err != nil || len(out.Versions) != 2 {
		t.Fatalf("%d versions, %v", len(out.Versions), err)
	}
	got, err := c.GetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String(bucket), Key: aws.String("current.json"), VersionId: out.Versions[1].VersionId,
	})
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(got.Body); err != nil || string(body) != "old" {
		t.Errorf("the older version is %q, %v", body, err)
	}
}
