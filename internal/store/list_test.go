// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/store"
	"clusterup.dev/clusterup/internal/testservers"
)

// raw is the SDK's own client, for what the package does not offer.
func raw(s *testservers.S3Server) *s3.Client {
	return s3.New(s3.Options{
		Region: s.Region, BaseEndpoint: &s.Endpoint, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey.RevealString(), ""),
	})
}

// fill puts n objects side by side.
func fill(t *testing.T, b *store.S3, format string, n int) {
	t.Helper()
	var g errgroup.Group
	g.SetLimit(16)
	for i := range n {
		g.Go(func() error { return b.Put(t.Context(), fmt.Sprintf(format, i), []byte("x")) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestListGivesAllPagesSorted(t *testing.T) {
	t.Parallel()
	s := testservers.S3(t)
	b := open(t, config(s))
	fill(t, b, "tokens/%04d.age", 1100) // a page has a thousand
	fill(t, b, "tokens-%d.json", 3)
	beside := config(s)
	beside.Prefix = "env2"
	fill(t, open(t, beside), "tokens/%04d.age", 3)

	entries, err := b.List(t.Context(), "tokens/")
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1100 {
		t.Fatalf("%d entries", len(entries))
	}
	for i, e := range entries {
		if e.Key != fmt.Sprintf("tokens/%04d.age", i) || e.Size != 1 || time.Since(e.Modified).Abs() > time.Hour {
			t.Fatalf("entry %d is %+v", i, e)
		}
	}
	if all, err := b.List(t.Context(), ""); err != nil || len(all) != 1103 {
		t.Errorf("the whole prefix: %d, %v", len(all), err)
	}
	if none, err := b.List(t.Context(), "nothing/"); err != nil || len(none) != 0 {
		t.Errorf("nothing: %v, %v", none, err)
	}
}

func TestDeletePrefixLeavesOnlyWhatIsKept(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *testservers.S3Server{
		"plain": testservers.S3, "versioned": testservers.VersionedS3,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			if name == "versioned" {
				_, err := raw(s).PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
					Bucket:                  &s.Bucket,
					VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			b := open(t, config(s))
			beside := config(s)
			beside.Prefix = "env2"
			other := open(t, beside)
			fill(t, other, "%d.json", 2)
			fill(t, b, "objects/%04d.json", 1050)
			fill(t, b, "objects/%04d.json", 20) // second versions
			for _, key := range []string{store.LockKey, "deleted.json"} {
				if err := b.Put(t.Context(), key, nil); err != nil {
					t.Fatal(err)
				}
			}
			if err := b.Delete(t.Context(), "deleted.json"); err != nil {
				t.Fatal(err)
			}
			for _, step := range []struct {
				keep []string
				left string
			}{{[]string{store.LockKey}, "[env/lock.json env2/0.json env2/1.json]"}, {nil, "[env2/0.json env2/1.json]"}} {
				if err := b.DeletePrefix(t.Context(), func(key string) bool { return slices.Contains(step.keep, key) }); err != nil {
					t.Fatal(err)
				}
				if left := versions(t, s); fmt.Sprint(left) != step.left {
					t.Errorf("left: %s, want %s", left, step.left)
				}
			}
		})
	}
}

// versions is every key in the bucket that has any version or delete marker.
func versions(t *testing.T, s *testservers.S3Server) (keys []string) {
	t.Helper()
	pages := s3.NewListObjectVersionsPaginator(raw(s), &s3.ListObjectVersionsInput{Bucket: &s.Bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range page.Versions {
			keys = append(keys, aws.ToString(v.Key))
		}
		for _, m := range page.DeleteMarkers {
			keys = append(keys, "deleted:"+aws.ToString(m.Key))
		}
	}
	return keys
}

func TestDeletePrefixRefusesAWholeBucket(t *testing.T) {
	t.Parallel()
	c := config(testservers.S3(t))
	c.Prefix = ""
	b := open(t, c)
	fill(t, b, "%d.json", 2)
	err := b.DeletePrefix(t.Context(), nil)
	if err == nil || !strings.Contains(hint.Of(err), "spec.store.prefix") {
		t.Errorf("%v; hint %q", err, hint.Of(err))
	}
	if entries, err := b.List(t.Context(), ""); err != nil || len(entries) != 2 {
		t.Errorf("left: %v, %v", entries, err)
	}
}

// The lock works on a versioned bucket too, where a delete leaves a marker.
func TestLockOnAVersionedBucketAfterAPurge(t *testing.T) {
	t.Parallel()
	b := open(t, config(testservers.VersionedS3(t)))
	l := acquire(t, b, store.LockOptions{})
	if err := b.DeletePrefix(t.Context(), func(key string) bool { return key == store.LockKey }); err != nil {
		t.Fatal(err)
	}
	if err := l.Check(t.Context()); err != nil {
		t.Errorf("after a purge that keeps the lock: %v", err)
	}
	if err := l.Release(t.Context()); err != nil {
		t.Error(err)
	}
	if err := b.DeletePrefix(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	again := acquire(t, b, store.LockOptions{})
	if err := b.Delete(t.Context(), store.LockKey); err != nil {
		t.Fatal(err)
	}
	if err := again.Check(t.Context()); !errors.Is(err, store.ErrLost) {
		t.Errorf("Check of a deleted lock: %v", err)
	}
}
