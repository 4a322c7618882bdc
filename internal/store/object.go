// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// reads of one object whose content broke off; the SDK retries only up to the
// first byte of it.
const reads = 3

// Get implements Bucket.
func (b *S3) Get(ctx context.Context, key string) ([]byte, Version, error) {
	if err := checkKey(key); err != nil {
		return nil, "", err
	}
	var broken error
	for range reads {
		out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.bucket, Key: b.key(key)})
		if err != nil {
			return nil, "", fail("read", key, explain(err, Config{}))
		}
		var data []byte
		data, broken = io.ReadAll(out.Body)
		broken = errors.Join(broken, out.Body.Close())
		if broken == nil {
			return data, Version(aws.ToString(out.ETag)), nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, "", fail("read", key, broken)
}

// PutNew implements Bucket.
func (b *S3) PutNew(ctx context.Context, key string, data []byte) (Version, error) {
	return b.put(ctx, key, data, func(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") }, ErrExists)
}

// PutIf implements Bucket.
func (b *S3) PutIf(ctx context.Context, key string, data []byte, was Version) (Version, error) {
	if was == "" {
		return "", fmt.Errorf("write %s: no version to compare with", key)
	}
	return b.put(ctx, key, data, func(in *s3.PutObjectInput) { in.IfMatch = aws.String(string(was)) }, ErrChanged)
}

// Put implements Bucket.
func (b *S3) Put(ctx context.Context, key string, data []byte) error {
	_, err := b.put(ctx, key, data, func(*s3.PutObjectInput) {}, nil)
	return err
}

func (b *S3) put(ctx context.Context, key string, data []byte, on func(*s3.PutObjectInput), refusal error) (Version, error) {
	if err := checkKey(key); err != nil {
		return "", err
	}
	in := &s3.PutObjectInput{Bucket: &b.bucket, Key: b.key(key), Body: bytes.NewReader(data)}
	on(in)
	ctx, sent := withAttempts(ctx)
	out, err := b.client.PutObject(ctx, in)
	switch {
	case err == nil:
		return Version(aws.ToString(out.ETag)), nil
	case refusal == nil || !refused(err):
		return "", fail("write", key, explain(err, Config{}))
	case sent.Load() == 1: // nothing of ours can be what is there
		return "", fail("write", key, refusal)
	}
	// An earlier attempt of this very request may have been carried out without
	// an answer: then what is there is what we meant.
	there, version, err := b.Get(ctx, key)
	switch {
	case errors.Is(err, ErrNotFound):
		return "", fail("write", key, refusal)
	case err != nil:
		return "", err
	case !bytes.Equal(there, data):
		return "", fail("write", key, refusal)
	}
	return version, nil
}

// Delete implements Bucket.
func (b *S3) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	_, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.bucket, Key: b.key(key)})
	if err = explain(err, Config{}); err != nil && !errors.Is(err, ErrNotFound) {
		return fail("delete", key, err)
	}
	return nil
}

// Age is how long ago a key was last written. Both moments are the store's own,
// so no other clock matters; they have whole seconds, and a server may
// look at its clock only now and then, so it is right to a second or two.
func (b *S3) Age(ctx context.Context, key string) (time.Duration, Version, error) {
	if err := checkKey(key); err != nil {
		return 0, "", err
	}
	out, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.bucket, Key: b.key(key)})
	if err != nil {
		return 0, "", fail("look at", key, explain(err, Config{}))
	}
	now, ok := middleware.GetServerTime(out.ResultMetadata)
	if !ok || out.LastModified == nil {
		return 0, Version(aws.ToString(out.ETag)), nil
	}
	return now.Sub(*out.LastModified), Version(aws.ToString(out.ETag)), nil
}

func (b *S3) key(key string) *string { return aws.String(b.prefix + key) }
