// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"clusterup.dev/clusterup/internal/hint"
)

// List implements Bucket.
func (b *S3) List(ctx context.Context, prefix string) ([]Entry, error) {
	var entries []Entry
	pages := s3.NewListObjectsV2Paginator(b.client, &s3.ListObjectsV2Input{Bucket: &b.bucket, Prefix: b.key(prefix)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fail("list", prefix, explain(err, Config{}))
		}
		for _, o := range page.Contents {
			entries = append(entries, Entry{
				Key:      strings.TrimPrefix(aws.ToString(o.Key), b.prefix),
				Size:     aws.ToInt64(o.Size),
				Modified: aws.ToTime(o.LastModified),
			})
		}
	}
	slices.SortFunc(entries, func(x, y Entry) int { return strings.Compare(x.Key, y.Key) })
	return entries, nil
}

// DeletePrefix removes everything below the store's prefix that keep does not
// keep, older versions and delete markers too; a nil keep keeps nothing. It
// refuses a store without a prefix: that would be the whole bucket.
func (b *S3) DeletePrefix(ctx context.Context, keep func(key string) bool) error {
	if b.prefix == "" {
		return hint.With(fmt.Errorf("empty %s: the store has no prefix of its own", b),
			"set spec.store.prefix, or empty the bucket yourself")
	}
	// Deleting moves the pages of a listing: start again until one finds nothing.
	for {
		ids, more, err := b.versions(ctx, keep)
		if err != nil {
			return fmt.Errorf("empty %s: %w", b, explain(err, Config{}))
		}
		if len(ids) > 0 {
			if err := b.deleteVersions(ctx, ids); err != nil {
				return fmt.Errorf("empty %s: %w", b, err)
			}
		}
		if !more {
			return nil
		}
	}
}

// versions is one page, at least, of what DeletePrefix has to delete.
func (b *S3) versions(ctx context.Context, keep func(key string) bool) (ids []types.ObjectIdentifier, more bool, err error) {
	pages := s3.NewListObjectVersionsPaginator(b.client, &s3.ListObjectVersionsInput{Bucket: &b.bucket, Prefix: &b.prefix})
	add := func(key, version *string) {
		if keep == nil || !keep(strings.TrimPrefix(aws.ToString(key), b.prefix)) {
			ids = append(ids, types.ObjectIdentifier{Key: key, VersionId: version})
		}
	}
	for pages.HasMorePages() && len(ids) == 0 {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, false, err
		}
		for _, v := range page.Versions {
			add(v.Key, v.VersionId)
		}
		for _, m := range page.DeleteMarkers {
			add(m.Key, m.VersionId)
		}
	}
	return ids, pages.HasMorePages(), nil
}

func (b *S3) deleteVersions(ctx context.Context, ids []types.ObjectIdentifier) error {
	for batch := range slices.Chunk(ids, 1000) { // the most that one request may name
		out, err := b.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
			Bucket: &b.bucket,
			Delete: &types.Delete{Objects: batch, Quiet: aws.Bool(true)},
		})
		if err != nil {
			return explain(err, Config{})
		}
		for _, e := range out.Errors {
			return fmt.Errorf("%s: %s: %s", aws.ToString(e.Key), aws.ToString(e.Code), aws.ToString(e.Message))
		}
	}
	return nil
}
