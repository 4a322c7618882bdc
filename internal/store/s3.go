// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

// Config says which place in which bucket.
type Config struct {
	Bucket    string
	Prefix    string // every key is below it; empty is the whole bucket
	Region    string // default: what the SDK finds, else us-east-1
	Endpoint  string // of an S3-compatible store; default: AWS
	PathStyle bool   // bucket in the path, not in the host name
	AccessKey string // empty: the SDK's own chain (environment, profile, role)
	SecretKey secret.Value
	CAFile    string // trusted for the endpoint, in place of the system's
}

// S3 is a place in a bucket.
type S3 struct {
	client *s3.Client
	bucket string
	prefix string // "" or ending in a slash
}

var _ Bucket = (*S3)(nil)

// Open connects to the bucket and makes sure that it answers. It does not make
// the bucket.
func Open(ctx context.Context, c Config) (*S3, error) {
	prefix := strings.Trim(c.Prefix, "/")
	if prefix != "" {
		if err := checkKey(prefix); err != nil {
			return nil, fmt.Errorf("prefix of the store: %w", err)
		}
		prefix += "/"
	}
	sdk, err := c.sdk(ctx)
	if err != nil {
		return nil, hint.With(fmt.Errorf("configure the store: %w", err),
			"look at the AWS_* variables and ~/.aws/config")
	}
	b := &S3{bucket: c.Bucket, prefix: prefix}
	b.client = s3.NewFromConfig(sdk, func(o *s3.Options) {
		o.UsePathStyle = c.PathStyle
		o.APIOptions = append(o.APIOptions, countAttempts)
		if c.Endpoint != "" {
			o.BaseEndpoint = aws.String(c.Endpoint)
		}
	})
	return b, b.probe(ctx, c)
}

// probe asks for one key below the prefix, which is what every user of the
// store may do; HeadBucket asks for more and says less when it is refused.
func (b *S3) probe(ctx context.Context, c Config) error {
	_, err := b.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket: &b.bucket, Prefix: &b.prefix, MaxKeys: aws.Int32(1),
	}, func(o *s3.Options) { o.RetryMaxAttempts = 2 })
	if err != nil {
		return fmt.Errorf("open the store %s: %w", b, explain(err, c))
	}
	return nil
}

// String is "s3://bucket/prefix".
func (b *S3) String() string { return "s3://" + b.bucket + "/" + strings.TrimSuffix(b.prefix, "/") }
